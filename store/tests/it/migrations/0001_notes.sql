-- A resource with a column of every kind.
CREATE TABLE notes (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    subtitle TEXT,
    rank BIGINT NOT NULL,
    votes BIGINT,
    weight DOUBLE PRECISION NOT NULL,
    score DOUBLE PRECISION,
    data BYTEA NOT NULL,
    digest BYTEA,
    tags BYTEA NOT NULL,
    opened BIGINT NOT NULL,
    price_minor BIGINT CHECK (price_minor BETWEEN -1000000 AND 1000000),
    price_currency TEXT,
    due BIGINT,
    owner TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id)
);

-- A resource of the project itself, with a unique name.
CREATE TABLE labels (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL, -- a semicolon; and 'quotes' are no end of a statement
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id),
    UNIQUE (project, name)
);
