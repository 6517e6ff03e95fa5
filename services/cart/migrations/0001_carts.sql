-- One row a customer: what holds a cart against every other writer, and when it was last touched.
CREATE TABLE carts (
    project TEXT NOT NULL,
    -- A user or a guest.
    customer_id TEXT NOT NULL,
    -- 1 for a guest's, which expires when it is not touched.
    guest BIGINT NOT NULL CHECK (guest IN (0, 1)),
    -- Microseconds since 1970, UTC.
    update_time BIGINT NOT NULL,
    PRIMARY KEY (project, customer_id)
);

CREATE INDEX carts_of_guests_by_age ON carts (update_time) WHERE guest = 1;

-- What is in them. Columns are the fields of tradewind.cart.v1.CartLine.
CREATE TABLE cart_lines (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    price_then_minor BIGINT CHECK (price_then_minor BETWEEN 0 AND 1000000000000000),
    price_then_currency TEXT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id),
    -- Also how a customer's lines are found.
    UNIQUE (project, customer_id, variant_id)
);
