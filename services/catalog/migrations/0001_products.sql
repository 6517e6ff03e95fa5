-- What is sold. Columns are the fields of tradewind.catalog.v1.Product.
CREATE TABLE products (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Its name in addresses.
    handle TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    vendor TEXT NOT NULL,
    product_type TEXT NOT NULL,
    tags BYTEA NOT NULL,
    category_ids BYTEA NOT NULL,
    -- DRAFT, ACTIVE or ARCHIVED.
    status TEXT NOT NULL,
    options BYTEA NOT NULL,
    variants BYTEA NOT NULL,
    images BYTEA NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id),
    UNIQUE (project, handle)
);

CREATE INDEX products_by_time ON products (project, create_time, id);
CREATE INDEX products_by_title ON products (project, title, id);

-- What is asked of a variant by its own id, written with its product.
CREATE TABLE variants (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    product_title TEXT NOT NULL,
    -- That of the product; a variant is sold while it is ACTIVE.
    status TEXT NOT NULL,
    -- The protobuf of tradewind.catalog.v1.Variant.
    variant BYTEA NOT NULL,
    PRIMARY KEY (project, id),
    FOREIGN KEY (project, product_id) REFERENCES products (project, id)
);

CREATE INDEX variants_of_product ON variants (project, product_id);

-- Which products have changed, in the order of the commits: whoever writes here holds the one row of
-- product_revision until it commits. The search index follows.
CREATE TABLE product_revision (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL,
    -- What tells this database from another; empty until it is first asked for.
    epoch TEXT NOT NULL
);

INSERT INTO product_revision (one, revision, epoch) VALUES (1, 0, '');

CREATE TABLE product_changes (
    project TEXT NOT NULL,
    product_id TEXT NOT NULL,
    -- That of its last change.
    revision BIGINT NOT NULL,
    PRIMARY KEY (project, product_id)
);

CREATE INDEX product_changes_by_revision ON product_changes (revision, product_id);
