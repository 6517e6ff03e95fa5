//! What operators are shown of processes that take too long, over all projects.

use std::collections::HashSet;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use mesh::caller::DEFAULT_PROJECT;
use mesh::{Caller, CancellationToken, Context, Mesh};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use store::{Error, Store};

use super::kinds;
use crate::NAME;
use crate::orders::Orders;

/// How often they are counted.
const PAUSE: Duration = Duration::from_secs(60);
/// How many of a kind are counted at most.
const MOST: u32 = 1000;
/// How long a drive is kept that nobody has gone on with: seven days.
const FORGOTTEN: i64 = 7 * 24 * 3600 * 1_000_000;

/// Counts processes that are stuck: `orders_sagas_stuck`, by kind.
pub(crate) struct Watch {
    store: Store,
    stuck: Family<Vec<(&'static str, String)>, Gauge<i64, AtomicI64>>,
}

impl Watch {
    pub(crate) fn new(orders: &Orders, mesh: &Mesh) -> Self {
        let watch = Self { store: orders.store.clone(), stuck: Family::default() };
        mesh.metrics().register(|registry| {
            let help = "Processes of orders that take longer than their kind may";
            registry.register("orders_sagas_stuck", help, watch.stuck.clone());
        });
        watch
    }

    /// Counts them from time to time until it is told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.count().await {
                tracing::warn!(%error, "stuck processes could not be counted");
            }
            if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
        }
    }

    async fn count(&self) -> Result<(), Error> {
        let caller = Caller::service(NAME, DEFAULT_PROJECT, None);
        let context = Context::new(caller, "watch_sagas", tracing::Span::none());
        let now = self.store.clock().now_micros();
        for kind in kinds() {
            let limit = now - kind.limit_seconds * 1_000_000;
            let sql = "SELECT task FROM sagas WHERE kind = $1 AND create_time < $2 LIMIT $3";
            let reader = self.store.read(&context);
            let rows = reader.unscoped(sql).bind(&kind.name).bind(limit).bind(MOST).fetch_all();
            let kept =
                rows.await?.iter().map(|row| row.get("task")).collect::<Result<Vec<_>, _>>()?;
            let tasks = self.store.driven_since(&kind.name, limit, MOST).await?;
            let stuck: HashSet<String> = kept.into_iter().chain(tasks).collect();
            let count = i64::try_from(stuck.len()).unwrap_or(i64::MAX);
            self.stuck.get_or_create(&vec![("kind", kind.name)]).set(count);
        }
        self.forget(&context, now - FORGOTTEN).await
    }

    /// Removes what was kept of drives that nobody has gone on with.
    async fn forget(&self, context: &Context, before: i64) -> Result<(), Error> {
        let sql = "SELECT id FROM sagas WHERE update_time < $1 LIMIT 1";
        let old = self.store.read(context).unscoped(sql).bind(before).fetch_optional().await?;
        if old.is_none() {
            return Ok(());
        }
        let mut tx = self.store.begin_for(context).await?;
        tx.unscoped("DELETE FROM sagas WHERE update_time < $1").bind(before).execute().await?;
        tx.commit().await
    }
}
