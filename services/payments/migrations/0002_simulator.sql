-- What the simulated provider remembers. It stands for another company: no transaction of this
-- service's own work reaches these tables.
CREATE TABLE simulator_charges (
    project TEXT NOT NULL,
    -- The key of the charge: whoever asks twice gets one charge.
    id TEXT NOT NULL,
    reference TEXT NOT NULL,
    -- Nothing was asked for where a key was voided before it was ever used.
    amount_minor BIGINT NOT NULL CHECK (amount_minor BETWEEN 0 AND 1000000000000000),
    amount_currency TEXT NOT NULL,
    -- TAKEN, ACTION_REQUIRED, DECLINED or VOIDED.
    state TEXT NOT NULL,
    decline_code TEXT NOT NULL,
    action_url TEXT NOT NULL,
    -- How many questions still go unanswered.
    silences BIGINT NOT NULL CHECK (silences BETWEEN 0 AND 100),
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, id)
);

CREATE TABLE simulator_refunds (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    charge_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    amount_currency TEXT NOT NULL,
    -- DONE or DECLINED.
    state TEXT NOT NULL,
    decline_code TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, id)
);

CREATE INDEX simulator_refunds_of_charge ON simulator_refunds (project, charge_id);
