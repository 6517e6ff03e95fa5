-- How many there are of a variant; one without a row is not counted.
-- Columns are the fields of tradewind.catalog.v1.StockLevel.
CREATE TABLE stock_levels (
    project TEXT NOT NULL,
    -- The variant's id.
    id TEXT NOT NULL,
    on_hand BIGINT NOT NULL CHECK (on_hand BETWEEN 0 AND 1000000000),
    reserved BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id),
    CHECK (reserved BETWEEN 0 AND on_hand)
);

-- What orders hold. Columns are the fields of tradewind.catalog.v1.Reservation.
CREATE TABLE reservations (
    project TEXT NOT NULL,
    -- The order's id.
    id TEXT NOT NULL,
    -- HELD, COMMITTED or RELEASED.
    state TEXT NOT NULL,
    lines BYTEA NOT NULL,
    expire_time BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id)
);

-- What happened to stock. The sums of a variant's movements are its level; rows are never changed.
CREATE TABLE stock_movements (
    -- Grows with every movement of a variant.
    position {serial},
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    -- SET, RESERVED, RELEASED or COMMITTED.
    kind TEXT NOT NULL,
    on_hand_delta BIGINT NOT NULL CHECK (on_hand_delta BETWEEN -1000000000 AND 1000000000),
    reserved_delta BIGINT NOT NULL CHECK (reserved_delta BETWEEN -1000000000 AND 1000000000),
    -- Empty when it was set.
    order_id TEXT NOT NULL,
    time BIGINT NOT NULL
);

CREATE INDEX stock_movements_of_variant ON stock_movements (project, variant_id, position);
-- An order takes one step once with a variant.
CREATE UNIQUE INDEX stock_movements_of_order ON stock_movements (project, order_id, kind, variant_id)
    WHERE order_id <> '';
