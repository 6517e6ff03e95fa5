-- Shops. Columns are the fields of tradewind.users.v1.Project; each row is in its own project.
CREATE TABLE projects (
    project TEXT NOT NULL CHECK (project = id),
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    currency_code TEXT NOT NULL,
    shipping_rate_minor BIGINT NOT NULL CHECK (shipping_rate_minor BETWEEN 0 AND 1000000000000000),
    shipping_rate_currency TEXT NOT NULL,
    -- Hundredths of a percent.
    tax_basis_points BIGINT NOT NULL CHECK (tax_basis_points BETWEEN 0 AND 10000),
    tax_inclusive BIGINT NOT NULL CHECK (tax_inclusive BETWEEN 0 AND 1),
    contact_email TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id)
);

-- Accounts. Columns are the fields of tradewind.users.v1.User.
CREATE TABLE users (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    -- In lower case.
    email TEXT NOT NULL,
    display_name TEXT NOT NULL,
    roles BYTEA NOT NULL,
    -- ACTIVE or SUSPENDED.
    status TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id),
    UNIQUE (project, email)
);

CREATE INDEX users_by_time ON users (project, create_time, id);

-- How an account shows that it is used by its owner. No message holds any of it.
CREATE TABLE credentials (
    project TEXT NOT NULL,
    user_id TEXT NOT NULL,
    -- Argon2id in PHC form, with its parameters and salt.
    password_hash TEXT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (project, user_id),
    FOREIGN KEY (project, user_id) REFERENCES users (project, id) ON DELETE CASCADE
);

-- Logins. Columns are the fields of tradewind.users.v1.Session.
CREATE TABLE sessions (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    -- A user, or a guest, who has no row.
    user_id TEXT NOT NULL,
    guest BIGINT NOT NULL CHECK (guest BETWEEN 0 AND 1),
    address TEXT NOT NULL,
    expire_time BIGINT,
    end_time BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id)
);

CREATE INDEX sessions_of_user ON sessions (project, user_id) WHERE end_time IS NULL;
CREATE INDEX sessions_by_end ON sessions (end_time);
CREATE INDEX sessions_by_expiry ON sessions (expire_time);

-- Refresh tokens, spent ones too: a spent one that comes again shows a theft.
CREATE TABLE refresh_tokens (
    project TEXT NOT NULL,
    -- SHA-256 of the token.
    hash BYTEA NOT NULL,
    session_id TEXT NOT NULL,
    -- When it was used; nothing while it is the session's newest.
    spent_time BIGINT,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (project, hash),
    FOREIGN KEY (project, session_id) REFERENCES sessions (project, id) ON DELETE CASCADE
);

CREATE INDEX refresh_tokens_of_session ON refresh_tokens (project, session_id);
CREATE INDEX refresh_tokens_by_age ON refresh_tokens (create_time);

-- Failed logins, counted by account and by network address.
CREATE TABLE login_failures (
    project TEXT NOT NULL,
    -- `account:` and the SHA-256 of its e-mail address, or `address:` and a network address.
    subject TEXT NOT NULL,
    failures BIGINT NOT NULL CHECK (failures >= 0),
    -- Until when no password is tried.
    blocked_time BIGINT NOT NULL,
    -- When the count begins anew.
    forget_time BIGINT NOT NULL,
    PRIMARY KEY (project, subject)
);

CREATE INDEX login_failures_by_age ON login_failures (forget_time);

-- The keys that sign access tokens, of all projects.
CREATE TABLE signing_keys (
    -- Counts from 1: of replicas that rotate at once, one inserts the next.
    generation BIGINT NOT NULL PRIMARY KEY,
    -- What tokens name it by.
    kid TEXT NOT NULL UNIQUE,
    -- The private key, PKCS#8 DER.
    der BYTEA NOT NULL,
    -- The public key, in base64url.
    x TEXT NOT NULL,
    -- When it signs no more; it is published until its last token has expired.
    retire_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL
);
