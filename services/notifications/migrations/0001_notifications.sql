-- Mails to customers. Columns are the fields of tradewind.notifications.v1.Mail.
CREATE TABLE mails (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    template TEXT NOT NULL,
    reference TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    -- QUEUED, SENT, FAILED or KEPT.
    state TEXT NOT NULL,
    -- Why it failed.
    error TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id)
);

CREATE INDEX mails_by_time ON mails (project, create_time, id);
CREATE INDEX mails_by_reference ON mails (project, reference);

-- What happened to what is a customer's. Columns are the fields of tradewind.notifications.v1.Notification.
CREATE TABLE notifications (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    text TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    -- Its place among the customer's.
    sequence BIGINT NOT NULL CHECK (sequence >= 1),
    PRIMARY KEY (project, id),
    UNIQUE (project, customer_id, sequence)
);

-- How many notifications each customer has had. The row is held until the next one is committed, so
-- that a customer's notifications become visible in their order.
CREATE TABLE feeds (
    project TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    sequence BIGINT NOT NULL CHECK (sequence >= 1),
    PRIMARY KEY (project, customer_id)
);
