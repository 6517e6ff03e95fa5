-- How far a process had come when its last drive ended before its end. One that ends at its first drive is
-- never here; one that ends later is removed.
CREATE TABLE sagas (
    project TEXT NOT NULL,
    -- Such as ord_01j…-checkout-1.
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- The task of the drive, and how often it had been taken.
    task TEXT NOT NULL,
    token BIGINT NOT NULL,
    -- The protobuf of tradewind.orders.v1.SagaProgress.
    progress BYTEA NOT NULL,
    -- How often it was tried.
    tries BIGINT NOT NULL,
    error TEXT NOT NULL,
    -- 1 when it waits for what is decided elsewhere.
    undecided BIGINT NOT NULL CHECK (undecided IN (0, 1)),
    -- When the first drive of these began.
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (project, id)
);

CREATE INDEX sagas_by_age ON sagas (kind, create_time);
