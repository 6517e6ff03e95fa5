//! Whether a store has anything left to do.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::database::PATIENCE;
use crate::error::Error;
use crate::statement::Statement;
use crate::store::Store;

/// Counts work as running until it is dropped.
pub(crate) struct Busy {
    store: Store,
}

impl Busy {
    pub(crate) fn new(store: &Store) -> Self {
        store.inner.running.fetch_add(1, Ordering::SeqCst);
        store.inner.begun.fetch_add(1, Ordering::SeqCst);
        Self { store: store.clone() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.store.inner.running.fetch_sub(1, Ordering::SeqCst);
        self.store.inner.settled.notify_waiters();
    }
}

impl Store {
    /// Waits until its runner, which must run, has nothing due: no task, no event. For tests.
    pub async fn idle(&self) -> Result<(), Error> {
        loop {
            let settled = self.inner.settled.notified();
            let begun = self.inner.begun.load(Ordering::SeqCst);
            // Who is at work is waited for, and not asked to look for more: that would be work again.
            if self.inner.running.load(Ordering::SeqCst) == 0 {
                let due = self.is_due().await?;
                // What began meanwhile may have taken the rows that were looked for.
                if !due && self.inner.begun.load(Ordering::SeqCst) == begun {
                    return Ok(());
                }
                if due {
                    self.inner.tasks.look();
                    self.inner.events.notify_one();
                    self.inner.schedules.changed.notify_one();
                }
            }
            let _ = timeout(Duration::from_millis(20), settled).await;
        }
    }

    async fn is_due(&self) -> Result<bool, Error> {
        let now = self.inner.clock.now_micros();
        if self.inner.schedules.next.load(Ordering::SeqCst) <= now {
            return Ok(true);
        }
        let statement = Statement::new(
            "SELECT 1 AS due FROM store_tasks WHERE dead = 0 AND due_time <= $1 \
             UNION ALL SELECT 1 AS due FROM store_outbox AS event \
             WHERE deliver_time IS NULL AND due_time <= $1 AND NOT EXISTS (SELECT 1 FROM store_outbox AS before \
                 WHERE before.consumer = event.consumer AND before.project = event.project \
                 AND before.key = event.key AND before.position < event.position \
                 AND before.deliver_time IS NULL AND before.due_time > $1) LIMIT 1",
        );
        let statement = statement.bind(now);
        Ok(!self.fetch(statement, Instant::now() + PATIENCE).await?.is_empty())
    }
}
