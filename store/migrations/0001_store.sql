-- What the store itself remembers for a service. `{serial}` is a number that grows with every row.

-- The first answer of each call with an idempotency key.
CREATE TABLE store_keys (
    project TEXT NOT NULL,
    method TEXT NOT NULL,
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of the request's message.
    hash BYTEA NOT NULL,
    -- What the process that answers later is known by; empty for a call of one transaction.
    process TEXT NOT NULL,
    -- The protobuf of the answer; nothing while the process runs.
    answer BYTEA,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, method, actor, key)
);
CREATE INDEX store_keys_by_process ON store_keys (project, process) WHERE answer IS NULL;
CREATE INDEX store_keys_by_age ON store_keys (create_time);

-- Who changed what.
CREATE TABLE store_audit (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    -- The full name of the resource's message, and the row.
    resource TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    -- CREATE, UPDATE or DELETE.
    kind TEXT NOT NULL,
    -- The names of the columns that changed, with commas between.
    columns TEXT NOT NULL,
    actor TEXT NOT NULL,
    -- The customer for whom a service acted; empty for nobody.
    on_behalf TEXT NOT NULL,
    method TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, id)
);
CREATE INDEX store_audit_by_resource ON store_audit (project, resource, resource_id, id);

-- What must happen later.
CREATE TABLE store_tasks (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    -- The customer on whose behalf it is done; empty for nobody.
    subject TEXT NOT NULL,
    -- JSON.
    payload TEXT NOT NULL,
    -- When it may be taken; the end of the lease while one holds it.
    due_time BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- Grows each time it is taken; who holds an older one is too late.
    token BIGINT NOT NULL,
    -- 1 once it has failed too often.
    dead BIGINT NOT NULL,
    error TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    create_time BIGINT NOT NULL
);
CREATE INDEX store_tasks_due ON store_tasks (due_time) WHERE dead = 0;

-- Events that a consumer has not had.
CREATE TABLE store_outbox (
    position {serial},
    consumer TEXT NOT NULL,
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    type TEXT NOT NULL,
    -- Events of one key keep their order.
    key TEXT NOT NULL,
    subject TEXT NOT NULL,
    data BYTEA NOT NULL,
    traceparent TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    due_time BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX store_outbox_by_key ON store_outbox (consumer, project, key, position);
CREATE INDEX store_outbox_by_consumer ON store_outbox (consumer, position);

-- Events that have had their effect here.
CREATE TABLE store_inbox (
    event TEXT NOT NULL PRIMARY KEY,
    create_time BIGINT NOT NULL
);
CREATE INDEX store_inbox_by_age ON store_inbox (create_time);
