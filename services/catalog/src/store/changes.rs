//! Which products have changed, in the order of the commits.
//!
//! Invariant: a revision is taken under the lock of its one row and committed with its changes, so
//! whoever has seen one revision has seen all before it.

use store::{Error, Reader, Tx};

use super::{LONGEST_LIST, ROWS, padded, places, rows};

/// A product that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) project: String,
    pub(crate) product_id: String,
    pub(crate) revision: i64,
}

/// Notes that products, and the products of variants, are not what they were. The last statement of
/// its transaction that holds a row: all who change products wait here for each other.
pub(crate) async fn note(tx: &mut Tx, products: &[&str], variants: &[&str]) -> Result<(), Error> {
    if products.is_empty() && variants.is_empty() {
        return Ok(());
    }
    let next = "UPDATE product_revision SET revision = revision + 1 RETURNING revision";
    let revision: i64 = tx.unscoped(next).fetch_one().await?.get("revision")?;
    for products in products.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO product_changes (project, revision, product_id) VALUES ($1, $2, {}) \
             ON CONFLICT (project, product_id) DO UPDATE SET revision = excluded.revision",
            rows(products.len(), 2, 1)
        );
        let insert = tx.query(sql).bind(revision).bind_all(products.iter().copied());
        insert.execute().await?;
    }
    for variants in variants.chunks(LONGEST_LIST) {
        let ids = padded(variants);
        let sql = format!(
            "INSERT INTO product_changes (project, revision, product_id) \
             SELECT DISTINCT project, CAST($2 AS BIGINT), product_id FROM variants \
             WHERE project = $1 AND id IN ({}) \
             ON CONFLICT (project, product_id) DO UPDATE SET revision = excluded.revision",
            places(3, ids.len())
        );
        tx.query(sql).bind(revision).bind_all(ids).execute().await?;
    }
    Ok(())
}

/// The newest revision.
pub(crate) async fn revision(reader: &Reader) -> Result<i64, Error> {
    let newest = "SELECT revision FROM product_revision";
    reader.unscoped(newest).fetch_one().await?.get("revision")
}

/// Changes after a product of a revision, oldest first, in all projects.
pub(crate) async fn since(
    reader: &Reader,
    revision: i64,
    product_id: &str,
    most: u32,
) -> Result<Vec<Change>, Error> {
    let sql = "SELECT project, product_id, revision FROM product_changes \
               WHERE revision > $1 OR (revision = $1 AND product_id > $2) \
               ORDER BY revision, product_id LIMIT $3";
    let found = reader.unscoped(sql).bind(revision).bind(product_id).bind(most).fetch_all().await?;
    let changes = found.iter().map(|row| {
        Ok(Change {
            project: row.get("project")?,
            product_id: row.get("product_id")?,
            revision: row.get("revision")?,
        })
    });
    changes.collect()
}

/// What tells this database from every other; the first to ask names it.
pub(crate) async fn epoch(mut tx: Tx, name: &str) -> Result<String, Error> {
    let name_it = "UPDATE product_revision SET epoch = $1 WHERE epoch = ''";
    tx.unscoped(name_it).bind(name).execute().await?;
    let read = "SELECT epoch FROM product_revision";
    let epoch = tx.unscoped(read).fetch_one().await?.get("epoch")?;
    tx.commit().await?;
    Ok(epoch)
}
