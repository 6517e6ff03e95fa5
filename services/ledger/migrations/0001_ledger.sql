-- The book of a project. Its row is the lock of the book: every writer takes it first, so that batches
-- of several processes happen one after another, and rows are never locked in two orders.
CREATE TABLE books (
    project TEXT NOT NULL PRIMARY KEY,
    -- The last time given to a transfer, microseconds since 1970.
    time BIGINT NOT NULL
);

-- Accounts, with the sums of their transfers in minor units.
CREATE TABLE accounts (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    currency_code TEXT NOT NULL,
    -- What kind of account it is, for reports.
    code BIGINT NOT NULL,
    -- 1 when posted and pending debits stay within posted credits.
    debits_must_not_exceed_credits BIGINT NOT NULL,
    -- 1 when posted and pending credits stay within posted debits.
    credits_must_not_exceed_debits BIGINT NOT NULL,
    debits_pending BIGINT NOT NULL,
    debits_posted BIGINT NOT NULL,
    credits_pending BIGINT NOT NULL,
    credits_posted BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, id),
    CHECK (debits_pending BETWEEN 0 AND 1000000000000000000),
    CHECK (debits_posted BETWEEN 0 AND 1000000000000000000),
    CHECK (credits_pending BETWEEN 0 AND 1000000000000000000),
    CHECK (credits_posted BETWEEN 0 AND 1000000000000000000)
);

-- What happened, in the order of its time. Rows are never changed. That their accounts exist is held by the
-- writer and checked by VerifyBook: foreign keys would look up both accounts of every row once more.
CREATE TABLE transfers (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Microseconds since 1970; rising within a project.
    time BIGINT NOT NULL,
    -- POSTED, PENDING, POST_PENDING or VOID_PENDING.
    kind TEXT NOT NULL,
    -- Of a posting or voiding too, whose accounts, currency and amount are written out.
    debit_account_id TEXT NOT NULL,
    credit_account_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency_code TEXT NOT NULL,
    -- The transfer that is posted or voided; else empty.
    pending_id TEXT NOT NULL,
    -- 0 when it is not pending, or pending until it is posted or voided.
    timeout_seconds BIGINT NOT NULL,
    code BIGINT NOT NULL,
    reference TEXT NOT NULL,
    -- 1 when it was made together with the next of its batch.
    linked BIGINT NOT NULL,
    PRIMARY KEY (project, id),
    CHECK (time > 0),
    CHECK (amount BETWEEN 1 AND 1000000000000000),
    CHECK (debit_account_id <> credit_account_id)
);

-- None of these begins with the project alone, without a condition. PostgreSQL keeps the plan of a lookup by id
-- from when the table was empty, and an index of the project would then have looked as good as the key.
CREATE UNIQUE INDEX transfers_by_time ON transfers (project, time) WHERE time > 0;
CREATE INDEX transfers_by_debit_account ON transfers (debit_account_id, project, time);
CREATE INDEX transfers_by_credit_account ON transfers (credit_account_id, project, time);
CREATE INDEX transfers_by_reference ON transfers (reference, project, time) WHERE reference <> '';
-- A pending transfer is posted or voided once.
CREATE UNIQUE INDEX transfers_by_pending ON transfers (pending_id, project) WHERE pending_id <> '';

-- What became of what a pending transfer holds: one row each.
CREATE TABLE holds (
    project TEXT NOT NULL,
    -- The pending transfer.
    id TEXT NOT NULL,
    -- PENDING, POSTED, VOIDED or EXPIRED.
    state TEXT NOT NULL,
    -- When it is given back by itself, microseconds since 1970; nothing means never.
    expire_time BIGINT,
    PRIMARY KEY (project, id)
);

CREATE INDEX holds_by_expire_time ON holds (expire_time, project) WHERE state = 'PENDING';

-- Ids of transfers that were refused for what may change; they can never happen.
CREATE TABLE refused_transfers (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    -- The result code, such as EXCEEDS_CREDITS.
    code TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, id)
);
