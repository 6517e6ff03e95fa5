-- Orders. Columns are the fields of tradewind.orders.v1.Order.
CREATE TABLE orders (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    email TEXT NOT NULL,
    -- PLACING, PENDING_PAYMENT, CONFIRMED, SHIPPED, DELIVERED, CANCELLING, CANCELLED or REFUNDED.
    state TEXT NOT NULL,
    lines BYTEA NOT NULL,
    shipping_address BYTEA NOT NULL,
    goods_minor BIGINT CHECK (goods_minor BETWEEN 0 AND 1000000000000000),
    goods_currency TEXT,
    shipping_minor BIGINT CHECK (shipping_minor BETWEEN 0 AND 1000000000000000),
    shipping_currency TEXT,
    tax_minor BIGINT CHECK (tax_minor BETWEEN 0 AND 1000000000000000),
    tax_currency TEXT,
    total_minor BIGINT CHECK (total_minor BETWEEN 0 AND 1000000000000000),
    total_currency TEXT,
    tax_basis_points BIGINT NOT NULL CHECK (tax_basis_points BETWEEN 0 AND 10000),
    tax_inclusive BIGINT NOT NULL,
    payment BYTEA NOT NULL,
    -- Never more than the total: what is given back is counted before the provider is asked.
    refunded_minor BIGINT CHECK (refunded_minor BETWEEN 0 AND total_minor),
    refunded_currency TEXT,
    shipment BYTEA NOT NULL,
    hold_expire_time BIGINT,
    cancel_reason TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id)
);

CREATE INDEX orders_by_time ON orders (project, create_time, id);
CREATE INDEX orders_of_customer ON orders (project, customer_id, create_time, id);

-- What happened to an order, in the order of its positions.
CREATE TABLE order_events (
    project TEXT NOT NULL,
    order_id TEXT NOT NULL,
    -- From 1: ids and times of one millisecond say nothing of what came first.
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL,
    actor TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (project, order_id, position),
    FOREIGN KEY (project, order_id) REFERENCES orders (project, id) ON DELETE CASCADE
);

-- How often an order's payment was tried, and who may read it without a session.
CREATE TABLE order_secrets (
    project TEXT NOT NULL,
    order_id TEXT NOT NULL,
    attempts BIGINT NOT NULL CHECK (attempts BETWEEN 1 AND 100),
    -- SHA-256 of the guest's token; empty for users.
    guest_token_hash BYTEA NOT NULL,
    PRIMARY KEY (project, order_id),
    FOREIGN KEY (project, order_id) REFERENCES orders (project, id) ON DELETE CASCADE
);

-- What is given back, from before the provider is asked.
CREATE TABLE order_refunds (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    reason TEXT NOT NULL,
    -- PENDING, SUCCEEDED or FAILED.
    state TEXT NOT NULL,
    PRIMARY KEY (project, id),
    FOREIGN KEY (project, order_id) REFERENCES orders (project, id)
);

CREATE INDEX order_refunds_of_order ON order_refunds (project, order_id, id);
