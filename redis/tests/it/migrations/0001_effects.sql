-- What was done, in its order.
CREATE TABLE effects (
    position {serial},
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    number BIGINT NOT NULL
);
