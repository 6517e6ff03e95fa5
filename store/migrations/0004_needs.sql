-- What a version must know to work with tables from which a later one has taken something away.

-- The migration that it must know; empty where the tables have only grown.
ALTER TABLE store_migrations ADD COLUMN needs TEXT NOT NULL DEFAULT '';
