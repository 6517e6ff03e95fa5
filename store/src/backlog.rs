//! What a service has left to do, counted now and then for operators.
//!
//! The counts are of the whole database, so that every replica says the same. No count reads more rows than
//! [`MOST`]: a table of millions costs as little as a small one.

use std::collections::{BTreeMap, BTreeSet};

use mesh::CancellationToken;
use tokio::time::sleep;

use crate::error::Error;
use crate::metrics::Left;
use crate::runner::describe;
use crate::statement::Statement;
use crate::store::Store;

/// How many of a kind are counted at most.
const MOST: i64 = 10_000;
/// How long a task may have been due before it counts as overdue, in microseconds.
const LATE: i64 = 60 * 1_000_000;

/// Counts what a store has left to do.
pub(crate) struct Backlog {
    store: Store,
    kinds: Vec<&'static str>,
    /// Kinds of tasks and types of events that have been shown as given up; their counts go back to 0.
    shown: (BTreeSet<String>, BTreeSet<String>),
}

impl Backlog {
    /// The backlog of a store whose runner does these kinds of tasks.
    pub(crate) fn new(store: Store, kinds: impl Iterator<Item = &'static str>) -> Self {
        let kinds: Vec<_> = kinds.collect();
        let tasks = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Self { store, kinds, shown: (tasks, BTreeSet::new()) }
    }

    /// Counts from time to time, until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.count().await {
                // What was counted last stands.
                let (service, said) = (self.store.service(), describe(&error));
                match error {
                    Error::Unavailable(_) | Error::Busy => {
                        tracing::debug!(service, error = said, "what is left to do is not counted");
                    }
                    _ => tracing::warn!(service, error = said, "what is left to do is not counted"),
                }
            }
            let pause = sleep(self.store.inner.pace.count);
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    async fn count(&mut self) -> Result<(), Error> {
        for kind in &self.kinds {
            let (waiting, overdue) = self.of(kind).await?;
            self.show(Left::Waiting, kind, waiting);
            self.show(Left::Overdue, kind, overdue);
        }
        let tasks = "SELECT kind AS what, COUNT(*) AS many \
             FROM (SELECT kind FROM store_tasks WHERE dead = 1 LIMIT $1) AS counted GROUP BY kind";
        let events = "SELECT type AS what, COUNT(*) AS many \
             FROM (SELECT type FROM store_outbox WHERE dead = 1 LIMIT $1) AS counted GROUP BY type";
        let (tasks, events) = (self.dead(tasks).await?, self.dead(events).await?);
        self.shown.0.extend(tasks.keys().cloned());
        self.shown.1.extend(events.keys().cloned());
        for kind in &self.shown.0 {
            self.show(Left::Dead, kind, tasks.get(kind).copied().unwrap_or_default());
        }
        for kind in &self.shown.1 {
            self.show(Left::DeadEvents, kind, events.get(kind).copied().unwrap_or_default());
        }
        Ok(())
    }

    /// How many tasks of a kind wait, and how many are overdue.
    async fn of(&self, kind: &str) -> Result<(i64, i64), Error> {
        let statement = Statement::new(COUNTS).bind(kind).bind(MOST);
        let late = self.store.inner.clock.now_micros().saturating_sub(LATE);
        let rows = self.store.look(statement.bind(late)).await?;
        let row = rows.first().ok_or(Error::Ended)?;
        Ok((row.get("waiting")?, row.get("overdue")?))
    }

    /// How much was given up, by what it is.
    async fn dead(&self, sql: &'static str) -> Result<BTreeMap<String, i64>, Error> {
        let rows = self.store.look(Statement::new(sql).bind(MOST)).await?;
        rows.iter().map(|row| Ok((row.get("what")?, row.get("many")?))).collect()
    }

    fn show(&self, left: Left, kind: &str, many: i64) {
        self.store.inner.counts.metrics.left(left, self.store.service(), kind, many);
    }
}

/// Each part is a range of `store_tasks_lanes`. One whose lease has ended is overdue too: nobody took it up.
const COUNTS: &str = "SELECT \
    (SELECT COUNT(*) FROM (SELECT id FROM store_tasks \
     WHERE dead = 0 AND kind = $1 AND held = 0 LIMIT $2) AS counted) AS waiting, \
    (SELECT COUNT(*) FROM (SELECT id FROM store_tasks \
     WHERE dead = 0 AND kind = $1 AND priority IN (0, 1, 2) AND due_time < $3 LIMIT $2) AS counted) AS overdue";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::plan;

    #[tokio::test]
    async fn on_sqlite_a_count_reads_a_range_of_an_index_however_many_tasks_wait() {
        let plan = plan(COUNTS.to_owned()).await;

        assert!(plan.contains("INDEX store_tasks_lanes (kind=?)"), "{plan}");
        let overdue = "INDEX store_tasks_lanes (kind=? AND priority=? AND due_time<?)";
        assert!(plan.contains(overdue), "{plan}");
    }
}
