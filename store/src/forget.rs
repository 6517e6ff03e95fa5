//! What is removed when it has been remembered for long enough, a batch at a time.

use mesh::Context;
use tokio::time::Instant;

use crate::error::Error;
use crate::statement::Statement;
use crate::store::Store;
use crate::tasks::micros;

/// What the schedule is called, and its commits are counted under.
pub(crate) const FORGET: &str = "store.forget";
/// How many rows one transaction removes: few enough that nobody waits for it.
const BATCH: u32 = 500;

/// The answers of old calls; a repeat that comes later is a new call.
const KEYS: &str = "DELETE FROM store_keys WHERE (project, method, actor, key) IN \
     (SELECT project, method, actor, key FROM store_keys WHERE create_time < $1 \
     ORDER BY create_time LIMIT $2) RETURNING 1 AS one";
/// The events that had their effect long ago.
const EVENTS: &str = "DELETE FROM store_inbox WHERE event IN \
     (SELECT event FROM store_inbox WHERE create_time < $1 ORDER BY create_time LIMIT $2) \
     RETURNING 1 AS one";
/// The events that were delivered long ago.
const DELIVERED: &str = "DELETE FROM store_outbox WHERE position IN \
     (SELECT position FROM store_outbox WHERE deliver_time < $1 ORDER BY deliver_time LIMIT $2) \
     RETURNING 1 AS one";

/// Removes answers, noted events and delivered ones that are older than what is remembered; what is left when the
/// firing has had its time, the next one removes.
pub(crate) async fn forget(store: &Store, context: &Context) -> Result<(), Error> {
    let keep = store.inner.keep;
    let now = store.inner.clock.now_micros();
    for (sql, kept) in [(KEYS, keep.keys), (EVENTS, keep.events), (DELIVERED, keep.delivered)] {
        let before = now.saturating_sub(micros(kept));
        loop {
            let statement = Statement::new(sql).bind(before).bind(BATCH);
            let removed = store.write(statement, FORGET).await?.len();
            if removed < BATCH as usize {
                break;
            }
            if context.deadline.is_some_and(|deadline| Instant::now() + MARGIN > deadline) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A firing stops so long before it would be cut off.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(10);
