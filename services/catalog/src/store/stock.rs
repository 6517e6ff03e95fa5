//! Stock levels, changed on condition only, and the movements that add up to them.

use std::collections::{HashMap, HashSet};

use store::{Error, Reader, Row, Store, Tx};
use tradewind::catalog::v1::stock_movement::Kind;
use tradewind::catalog::v1::{ReservedLine, StockLevel, StockMovement, WrongLevel};

use super::{LONGEST_LIST, ROWS, ids_in, padded, places, rows};
use crate::stock::{Recount, Shelf};

/// The variants whose stock moved, with what is available after it.
pub(crate) type Moved = HashMap<String, i64>;

/// What one step of an order does to stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// What was held has left.
    Commit,
    /// What was held is given back.
    Release,
    /// What had left comes back.
    Return,
}

impl From<Step> for Kind {
    fn from(step: Step) -> Self {
        match step {
            Step::Commit => Self::Committed,
            Step::Release => Self::Released,
            Step::Return => Self::Returned,
        }
    }
}

/// One movement, to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) variant_id: String,
    pub(crate) kind: Kind,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) order_id: String,
}

/// Holds what each line asks for where there is enough of it, in one statement; answers the lines
/// that it could hold. Lines are of different variants.
pub(crate) async fn hold(
    tx: &mut Tx,
    store: &Store,
    lines: &[ReservedLine],
) -> Result<Moved, Error> {
    // A row that no variant has: few texts, which stay prepared.
    let padding = ("", 0_i64);
    let mut asked: Vec<_> =
        lines.iter().map(|line| (line.variant_id.as_str(), line.quantity)).collect();
    asked.resize(lines.len().next_power_of_two(), padding);
    let row = |at: usize| format!("(CAST(${} AS TEXT), CAST(${} AS BIGINT))", at, at + 1);
    let values: Vec<_> = (0..asked.len()).map(|line| row(4 + 2 * line)).collect();
    let (held, joined) = in_order(tx, lines.len());
    let sql = format!(
        "WITH line (variant_id, quantity) AS (VALUES {}){held} \
         UPDATE stock_levels \
         SET reserved = reserved + line.quantity, update_time = $2, etag = $3 \
         FROM line{joined} AND on_hand - reserved >= line.quantity \
         AND EXISTS (SELECT 1 FROM variants v \
             WHERE v.project = $1 AND v.id = line.variant_id AND v.status = 'ACTIVE') \
         RETURNING id, on_hand - reserved AS available",
        values.join(", ")
    );
    let mut update = tx.query(sql).bind(store.clock().now_micros()).bind(etag(store));
    for (variant_id, quantity) in asked {
        update = update.bind(variant_id).bind(quantity);
    }
    moved(&update.fetch_all().await?)
}

/// Takes the next step with all that an order holds, by the movements that held it.
pub(crate) async fn step(
    tx: &mut Tx,
    store: &Store,
    step: Step,
    order_id: &str,
    lines: usize,
) -> Result<Moved, Error> {
    let change = match step {
        Step::Commit => "on_hand = on_hand - line.quantity, reserved = reserved - line.quantity",
        Step::Release => "reserved = reserved - line.quantity",
        Step::Return => "on_hand = on_hand + line.quantity",
    };
    let (held, joined) = in_order(tx, lines);
    let sql = format!(
        "WITH line AS (SELECT variant_id, reserved_delta AS quantity FROM stock_movements \
             WHERE project = $1 AND order_id = $4 AND order_id <> '' AND kind = 'RESERVED'){held} \
         UPDATE stock_levels \
         SET {change}, update_time = $2, etag = $3 \
         FROM line{joined} \
         RETURNING id, on_hand - reserved AS available"
    );
    let update = tx.query(sql).bind(store.clock().now_micros()).bind(etag(store)).bind(order_id);
    moved(&update.fetch_all().await?)
}

/// What makes a statement hold the rows of several lines in the order of their ids before it changes
/// them, so that orders with the same variants never wait for each other in a circle.
fn in_order(tx: &Tx, lines: usize) -> (String, &'static str) {
    let lock = tx.row_lock();
    if lines < 2 || lock.is_empty() {
        return (String::new(), " WHERE project = $1 AND id = line.variant_id");
    }
    let held = format!(
        ", held AS (SELECT id AS held_id FROM stock_levels \
           WHERE project = $1 AND id IN (SELECT variant_id FROM line) ORDER BY id{lock})"
    );
    (held, ", held WHERE project = $1 AND id = line.variant_id AND id = held.held_id")
}

fn moved(rows: &[Row]) -> Result<Moved, Error> {
    rows.iter().map(|row| Ok((row.get("id")?, row.get("available")?))).collect()
}

fn etag(store: &Store) -> String {
    let mut etag = store.ids().next("etag");
    etag.split_off(etag.len() - 16)
}

/// What there is of these variants, by their ids; unknown ones are left out.
pub(crate) async fn shelves(tx: &mut Tx, ids: &[&str]) -> Result<HashMap<String, Shelf>, Error> {
    let mut shelves = HashMap::new();
    for ids in ids.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let sql = format!(
            "SELECT v.id, v.status, s.on_hand, s.reserved FROM variants v \
             LEFT JOIN stock_levels s ON s.project = v.project AND s.id = v.id \
             WHERE v.project = $1 AND v.id IN ({})",
            places(2, ids.len())
        );
        for row in tx.query(sql).bind_all(ids).fetch_all().await? {
            let on_hand: Option<i64> = row.get("on_hand")?;
            let reserved: Option<i64> = row.get("reserved")?;
            let shelf = Shelf {
                sold: row.get::<String>("status")? == crate::product::ACTIVE,
                available: on_hand.zip(reserved).map(|(on_hand, reserved)| on_hand - reserved),
            };
            shelves.insert(row.get("id")?, shelf);
        }
    }
    Ok(shelves)
}

/// Holds variants against others who begin to count them; answers those that there are.
pub(crate) async fn hold_variants(tx: &mut Tx, ids: &[&str]) -> Result<HashSet<String>, Error> {
    let mut held = HashSet::new();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    for ids in ids.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let sql = format!(
            "SELECT id FROM variants WHERE project = $1 AND id IN ({}) ORDER BY id{}",
            places(2, ids.len()),
            tx.row_lock()
        );
        for row in tx.query(sql).bind_all(ids).fetch_all().await? {
            held.insert(row.get("id")?);
        }
    }
    Ok(held)
}

/// The levels of these variants, held, by their ids; those that are not counted are left out.
pub(crate) async fn hold_levels(
    tx: &mut Tx,
    ids: &[&str],
) -> Result<HashMap<String, StockLevel>, Error> {
    let mut levels = HashMap::new();
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    for ids in ids.chunks(LONGEST_LIST) {
        let ids = padded(ids);
        let mut select = tx.select::<StockLevel>(ids_in(ids.len())).lock();
        for id in ids {
            select = select.bind(id);
        }
        let found = select.fetch_all().await?;
        levels.extend(found.into_iter().map(|level| (level.id.clone(), level)));
    }
    Ok(levels)
}

/// Writes levels that were held or that begin, with their movements.
pub(crate) async fn recount(
    tx: &mut Tx,
    store: &Store,
    recounts: &[&Recount],
) -> Result<(), Error> {
    let begun = recounts.iter().filter(|recount| recount.was.is_none());
    let begun: Vec<_> = begun.map(|recount| recount.now.clone()).collect();
    if !begun.is_empty() {
        tx.insert_all(begun).await?;
    }
    for recount in recounts.iter().filter(|recount| recount.was.is_some()) {
        tx.update(&recount.now).await?;
    }
    let movements: Vec<_> = recounts.iter().map(|recount| recount.movement()).collect();
    record(tx, store, &movements).await
}

/// Writes movements.
pub(crate) async fn record(
    tx: &mut Tx,
    store: &Store,
    movements: &[Movement],
) -> Result<(), Error> {
    let now = store.clock().now_micros();
    for chunk in movements.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO stock_movements (project, time, id, variant_id, kind, on_hand_delta, \
             reserved_delta, order_id) VALUES ($1, $2, {})",
            rows(chunk.len(), 2, 6)
        );
        let mut insert = tx.query(sql).bind(now);
        for movement in chunk {
            insert = insert
                .bind(store.ids().next("mov"))
                .bind(&movement.variant_id)
                .bind(kind_name(movement.kind))
                .bind(movement.on_hand)
                .bind(movement.reserved)
                .bind(&movement.order_id);
        }
        insert.execute().await?;
    }
    Ok(())
}

/// Movements of a variant before a position, newest first, each with its position.
pub(crate) async fn movements(
    reader: &Reader,
    variant_id: &str,
    before: i64,
    most: u32,
) -> Result<Vec<(i64, StockMovement)>, Error> {
    let sql = "SELECT position, id, variant_id, kind, on_hand_delta, reserved_delta, order_id, time \
               FROM stock_movements WHERE project = $1 AND variant_id = $2 AND position < $3 \
               ORDER BY position DESC LIMIT $4";
    let found = reader.query(sql).bind(variant_id).bind(before).bind(most).fetch_all().await?;
    let movements = found.iter().map(|row| {
        let kind: String = row.get("kind")?;
        let kind = Kind::from_str_name(&format!("KIND_{kind}")).unwrap_or_default();
        let movement = StockMovement {
            id: row.get("id")?,
            variant_id: row.get("variant_id")?,
            kind: kind.into(),
            on_hand_delta: row.get("on_hand_delta")?,
            reserved_delta: row.get("reserved_delta")?,
            order_id: row.get("order_id")?,
            time: Some(row.get("time")?),
        };
        Ok((row.get("position")?, movement))
    });
    movements.collect()
}

/// How many variants are counted.
pub(crate) async fn counted(reader: &Reader) -> Result<i64, Error> {
    let count = "SELECT COUNT(*) AS counted FROM stock_levels WHERE project = $1";
    reader.query(count).fetch_one().await?.get("counted")
}

/// Variants whose movements do not add up to their level, or that have moved without one.
pub(crate) async fn wrong(reader: &Reader, most: u32) -> Result<Vec<WrongLevel>, Error> {
    let sql = "WITH moved AS (SELECT variant_id, CAST(SUM(on_hand_delta) AS BIGINT) AS on_hand, \
                   CAST(SUM(reserved_delta) AS BIGINT) AS reserved \
                   FROM stock_movements WHERE project = $1 GROUP BY variant_id) \
               SELECT s.id AS id, s.on_hand AS on_hand, s.reserved AS reserved, \
                   COALESCE(m.on_hand, 0) AS moved_on_hand, COALESCE(m.reserved, 0) AS moved_reserved \
               FROM stock_levels s LEFT JOIN moved m ON m.variant_id = s.id \
               WHERE s.project = $1 AND (s.on_hand <> COALESCE(m.on_hand, 0) \
                   OR s.reserved <> COALESCE(m.reserved, 0)) \
               UNION \
               SELECT m.variant_id AS id, 0, 0, m.on_hand, m.reserved FROM moved m WHERE NOT EXISTS \
                   (SELECT 1 FROM stock_levels s WHERE s.project = $1 AND s.id = m.variant_id) \
               ORDER BY id LIMIT $2";
    let found = reader.query(sql).bind(most).fetch_all().await?;
    found
        .iter()
        .map(|row| {
            Ok(WrongLevel {
                variant_id: row.get("id")?,
                on_hand: row.get("on_hand")?,
                reserved: row.get("reserved")?,
                moved_on_hand: row.get("moved_on_hand")?,
                moved_reserved: row.get("moved_reserved")?,
            })
        })
        .collect()
}

/// As its column says it.
fn kind_name(kind: Kind) -> &'static str {
    kind.as_str_name().trim_start_matches("KIND_")
}
