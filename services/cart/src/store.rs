//! The SQL of carts that resources do not give.

use std::collections::BTreeMap;

use mesh::{Caller, Principal};
use store::{Error, Reader, Tx};
use tradewind::cart::v1::CartLine;

use crate::cart::MOST_OF_ONE;

/// Whose cart it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Customer {
    pub(crate) id: String,
    /// A guest's cart expires when it is not touched.
    pub(crate) guest: bool,
}

impl Customer {
    /// The customer that a caller is or works for.
    pub(crate) fn of(caller: &Caller) -> Option<Self> {
        let guest = match caller.principal() {
            Principal::Guest { .. } => true,
            Principal::Nobody | Principal::User { .. } | Principal::Service { .. } => false,
        };
        caller.subject().map(|id| Self { id: id.to_owned(), guest })
    }
}

/// Holds a customer's cart against every other writer until the transaction ends, and touches it.
pub(crate) async fn hold(tx: &mut Tx, customer: &Customer, now: i64) -> Result<(), Error> {
    tx.query(
        "INSERT INTO carts (project, customer_id, guest, update_time) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project, customer_id) DO UPDATE SET update_time = excluded.update_time",
    )
    .bind(&customer.id)
    .bind(customer.guest)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// The same, where there is a cart; answers whether there is.
pub(crate) async fn hold_existing(tx: &mut Tx, customer_id: &str, now: i64) -> Result<bool, Error> {
    let held = tx
        .query("UPDATE carts SET update_time = $3 WHERE project = $1 AND customer_id = $2")
        .bind(customer_id)
        .bind(now)
        .execute()
        .await?;
    Ok(held > 0)
}

/// The line of a variant in a customer's cart.
pub(crate) async fn line(
    tx: &mut Tx,
    customer_id: &str,
    variant_id: &str,
) -> Result<Option<CartLine>, Error> {
    tx.select("customer_id = $2 AND variant_id = $3")
        .bind(customer_id)
        .bind(variant_id)
        .fetch_optional()
        .await
}

/// A customer's lines, in the order they were put in.
pub(crate) async fn lines(reader: &Reader, customer_id: &str) -> Result<Vec<CartLine>, Error> {
    reader.select("customer_id = $2").bind(customer_id).order("create_time, id").fetch_all().await
}

/// A customer's lines, to change them.
pub(crate) async fn lines_to_change(
    tx: &mut Tx,
    customer_id: &str,
) -> Result<Vec<CartLine>, Error> {
    // In the order of the index that finds them: by id, SQLite would go over the lines of everybody.
    tx.select("customer_id = $2").bind(customer_id).order("variant_id").fetch_all().await
}

/// How many lines a customer's cart has, from the index alone.
pub(crate) async fn count(tx: &mut Tx, customer_id: &str) -> Result<i64, Error> {
    tx.query("SELECT COUNT(*) AS lines FROM cart_lines WHERE project = $1 AND customer_id = $2")
        .bind(customer_id)
        .fetch_one()
        .await?
        .get("lines")
}

/// Takes all lines out of a customer's cart.
pub(crate) async fn clear(tx: &mut Tx, customer_id: &str) -> Result<(), Error> {
    tx.query("DELETE FROM cart_lines WHERE project = $1 AND customer_id = $2")
        .bind(customer_id)
        .execute()
        .await?;
    Ok(())
}

/// Takes lines out of a customer's cart.
pub(crate) async fn remove(
    tx: &mut Tx,
    customer_id: &str,
    lines: &[CartLine],
) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "DELETE FROM cart_lines WHERE project = $1 AND customer_id = $2 AND id IN ({})",
        placeholders(3, lines.len())
    );
    tx.query(sql).bind(customer_id).bind_all(lines.iter().map(|line| &line.id)).execute().await?;
    Ok(())
}

/// Moves all lines of one cart into another, both held; quantities of a variant add up to the most
/// that a line may have. The cost does not grow with what is in them.
pub(crate) async fn merge(
    tx: &mut Tx,
    from: &str,
    into: &str,
    etag: &str,
    now: i64,
) -> Result<(), Error> {
    tx.query(
        "UPDATE cart_lines SET update_time = $4, etag = $5, quantity = \
         CASE WHEN cart_lines.quantity + other.quantity > $6 THEN $6 \
         ELSE cart_lines.quantity + other.quantity END \
         FROM cart_lines AS other \
         WHERE cart_lines.project = $1 AND cart_lines.customer_id = $3 \
         AND other.project = $1 AND other.customer_id = $2 \
         AND other.variant_id = cart_lines.variant_id",
    )
    .bind(from)
    .bind(into)
    .bind(now)
    .bind(etag)
    .bind(MOST_OF_ONE)
    .execute()
    .await?;
    tx.query(
        "UPDATE cart_lines SET customer_id = $3, update_time = $4, etag = $5 \
         WHERE project = $1 AND customer_id = $2 AND variant_id NOT IN \
         (SELECT variant_id FROM cart_lines WHERE project = $1 AND customer_id = $3)",
    )
    .bind(from)
    .bind(into)
    .bind(now)
    .bind(etag)
    .execute()
    .await?;
    clear(tx, from).await
}

/// Removes guests' carts that were last touched before a time, of all projects, oldest first.
/// Answers how many.
pub(crate) async fn expire(tx: &mut Tx, before: i64, most: i64) -> Result<usize, Error> {
    // The condition stands outside once more: PostgreSQL asks it again of a row that it waited for.
    let carts = tx
        .unscoped(
            "DELETE FROM carts WHERE guest = 1 AND update_time < $1 AND (project, customer_id) IN \
             (SELECT project, customer_id FROM carts WHERE guest = 1 AND update_time < $1 \
             ORDER BY update_time LIMIT $2) RETURNING project, customer_id",
        )
        .bind(before)
        .bind(most)
        .fetch_all()
        .await?;
    let mut guests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for cart in &carts {
        guests.entry(cart.get("project")?).or_default().push(cart.get("customer_id")?);
    }
    for (project, guests) in guests {
        let sql = format!(
            "DELETE FROM cart_lines WHERE project = $1 AND customer_id IN ({})",
            placeholders(2, guests.len())
        );
        tx.unscoped(sql).bind(project).bind_all(guests).execute().await?;
    }
    Ok(carts.len())
}

/// `$3, $4, $5`: so many placeholders from one on.
fn placeholders(first: usize, count: usize) -> String {
    let names: Vec<_> = (first..first + count).map(|at| format!("${at}")).collect();
    names.join(", ")
}
