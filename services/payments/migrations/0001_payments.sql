-- What is to be taken for an order. Columns are the fields of tradewind.payments.v1.PaymentIntent.
CREATE TABLE payment_intents (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    amount_currency TEXT NOT NULL,
    -- REQUIRES_PAYMENT_METHOD, REQUIRES_ACTION, PROCESSING, SUCCEEDED, CANCELED or REVIEW.
    state TEXT NOT NULL,
    -- The number of the newest attempt.
    attempts BIGINT NOT NULL CHECK (attempts BETWEEN 0 AND 100),
    attempt_id TEXT NOT NULL,
    decline_code TEXT NOT NULL,
    action_url TEXT NOT NULL,
    captured_minor BIGINT NOT NULL CHECK (captured_minor BETWEEN 0 AND 1000000000000000),
    -- Refunds that succeeded or are pending: never more than was captured.
    refunded_minor BIGINT NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
    -- 1 when the ledger holds what all attempts and refunds say.
    settled BIGINT NOT NULL CHECK (settled IN (0, 1)),
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id),
    UNIQUE (project, order_id)
);

CREATE INDEX payment_intents_by_time ON payment_intents (project, create_time, id);
CREATE INDEX payment_intents_by_customer ON payment_intents (project, customer_id, create_time, id);

-- One try each. Columns are the fields of tradewind.payments.v1.PaymentAttempt.
CREATE TABLE payment_attempts (
    project TEXT NOT NULL,
    -- Also the key at the provider and the id of the ledger's transfer.
    id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    number BIGINT NOT NULL CHECK (number BETWEEN 1 AND 100),
    provider TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    amount_currency TEXT NOT NULL,
    -- STARTED, SUCCESS, PENDING, DECLINED, NOT_ATTEMPTED, UNKNOWN or VOIDED.
    outcome TEXT NOT NULL,
    provider_reference TEXT NOT NULL,
    decline_code TEXT NOT NULL,
    action_url TEXT NOT NULL,
    resolutions BIGINT NOT NULL CHECK (resolutions BETWEEN 0 AND 1000000000),
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    settled BIGINT NOT NULL CHECK (settled IN (0, 1)),
    PRIMARY KEY (project, id),
    FOREIGN KEY (project, intent_id) REFERENCES payment_intents (project, id)
);

-- An attempt that surely never reached the provider gives its number free again.
CREATE UNIQUE INDEX payment_attempts_by_number ON payment_attempts (project, intent_id, number)
    WHERE outcome <> 'NOT_ATTEMPTED';
CREATE INDEX payment_attempts_of_intent ON payment_attempts (project, intent_id, settled);

-- What is given back. Columns are the fields of tradewind.payments.v1.Refund.
CREATE TABLE refunds (
    project TEXT NOT NULL,
    -- Also the key at the provider and the id of the ledger's transfer.
    id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    amount_currency TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- PENDING, SUCCEEDED or FAILED.
    state TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    settled BIGINT NOT NULL CHECK (settled IN (0, 1)),
    provider_reference TEXT NOT NULL,
    decline_code TEXT NOT NULL,
    PRIMARY KEY (project, id),
    FOREIGN KEY (project, intent_id) REFERENCES payment_intents (project, id)
);

CREATE INDEX refunds_of_intent ON refunds (project, intent_id, settled);

-- Answers of providers that contradict what is known. A person looks at each.
CREATE TABLE payment_anomalies (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    -- The attempt or the refund that the answer was about.
    subject_id TEXT NOT NULL,
    -- What was known when it came.
    known TEXT NOT NULL,
    -- What the provider said.
    said TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, id),
    FOREIGN KEY (project, intent_id) REFERENCES payment_intents (project, id)
);

CREATE INDEX payment_anomalies_of_intent ON payment_anomalies (project, intent_id);
