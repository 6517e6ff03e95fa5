//! Carts that guests left: removed when they were not touched for long enough.

use std::time::Duration;

use mesh::{Context, Status};
use store::Store;
use tokio::time::Instant;

use crate::store as sql;

/// How many carts one transaction removes.
const BATCH: i64 = 200;
/// A firing stops so long before it would be cut off; the next one goes on.
const MARGIN: Duration = Duration::from_secs(10);

/// Removes guests' carts of all projects that were not touched for so long.
pub(crate) async fn sweep(store: Store, idle: Duration, context: Context) -> Result<(), Status> {
    let idle = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
    let before = store.clock().now_micros().saturating_sub(idle);
    loop {
        let mut tx = store.begin_for(&context).await?;
        let removed = sql::expire(&mut tx, before, BATCH).await?;
        if removed == 0 {
            return Ok(());
        }
        tx.commit().await?;
        tracing::info!(removed, "carts that guests left are removed");
        if context.deadline.is_some_and(|deadline| Instant::now() + MARGIN > deadline) {
            return Ok(());
        }
    }
}
