//! Categories and what stands in them.

use std::collections::HashSet;

use store::{Error, Reader, Tx};
use tradewind::catalog::v1::Category;

use super::{LONGEST_LIST, padded, places};

/// Every category of the project.
pub(crate) async fn all(reader: &Reader) -> Result<Vec<Category>, Error> {
    reader.select("id <> ''").fetch_all().await
}

/// Every category of the project, held: a move is checked against the whole tree.
pub(crate) async fn hold_all(tx: &mut Tx) -> Result<Vec<Category>, Error> {
    tx.select("id <> ''").lock().fetch_all().await
}

/// Which of these there are.
pub(crate) async fn existing(tx: &mut Tx, ids: &[&str]) -> Result<HashSet<String>, Error> {
    let mut existing = HashSet::new();
    for ids in ids.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let sql = format!(
            "SELECT id FROM categories WHERE project = $1 AND id IN ({})",
            places(2, ids.len())
        );
        for row in tx.query(sql).bind_all(ids).fetch_all().await? {
            existing.insert(row.get("id")?);
        }
    }
    Ok(existing)
}

/// How many children and products a category has.
pub(crate) async fn contents(tx: &mut Tx, id: &str) -> Result<(i64, i64), Error> {
    let sql = "SELECT \
        (SELECT COUNT(*) FROM categories WHERE project = $1 AND parent_id = $2) AS children, \
        (SELECT COUNT(*) FROM product_categories WHERE project = $1 AND category_id = $2) AS products";
    let row = tx.query(sql).bind(id).fetch_one().await?;
    Ok((row.get("children")?, row.get("products")?))
}
