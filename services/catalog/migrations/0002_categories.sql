-- Shelves that products stand on. Columns are the fields of tradewind.catalog.v1.Category.
CREATE TABLE categories (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Empty at the top.
    parent_id TEXT NOT NULL,
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    position BIGINT NOT NULL CHECK (position >= 0),
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (project, id),
    UNIQUE (project, slug)
);

CREATE INDEX categories_by_parent ON categories (project, parent_id);

-- Which products stand in a category, written with the product.
CREATE TABLE product_categories (
    project TEXT NOT NULL,
    category_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    PRIMARY KEY (project, category_id, product_id),
    FOREIGN KEY (project, category_id) REFERENCES categories (project, id),
    FOREIGN KEY (project, product_id) REFERENCES products (project, id)
);

CREATE INDEX product_categories_of_product ON product_categories (project, product_id);
