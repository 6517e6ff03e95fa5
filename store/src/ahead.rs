//! What was written while this process's clock was ahead, made due once it is right again.
//!
//! A clock that has gone back leaves tasks and events that are due in what is the future now, and nobody would take them
//! for as long as it was ahead. Nothing waits longer than after its last failure but what was told a time, so that what
//! does so is known.

use std::time::Duration;

use mesh::Clock;

use crate::error::Error;
use crate::perform::LONGEST_BACKOFF;
use crate::runner::describe;
use crate::statement::Statement;
use crate::store::Store;
use crate::tasks::micros;

/// What a clock goes back by little by little, which nobody notices.
const USUAL: Duration = Duration::from_secs(10);
/// No lease is longer.
const LONGEST_LEASE: Duration = Duration::from_mins(10);
/// What the commits of this are counted under.
const CATCH_UP: &str = "catch_up";

/// Tasks that nobody has taken: at once, or as much earlier as the clock was ahead.
const BEGUN: &str = "UPDATE store_tasks SET due_time = due_time - (create_time - $1), create_time = $1 \
     WHERE dead = 0 AND held = 0 AND token = 0 AND create_time > $2";
/// Tasks that failed, or were given up for another.
const FAILED: &str = "UPDATE store_tasks SET due_time = $1 \
     WHERE dead = 0 AND held = 0 AND token > 0 AND due_time > $2";
/// Tasks that somebody has taken: whoever lives renews its lease, which is never as long.
const TAKEN: &str =
    "UPDATE store_tasks SET due_time = $1 WHERE dead = 0 AND held = 1 AND due_time > $2";
/// Events that were not delivered.
const TOLD: &str = "UPDATE store_outbox SET due_time = $1 \
     WHERE deliver_time IS NULL AND dead = 0 AND attempts = 0 AND due_time > $2";
const REFUSED: &str = "UPDATE store_outbox SET due_time = $1 \
     WHERE deliver_time IS NULL AND dead = 0 AND attempts > 0 AND due_time > $2";

/// Sees a clock that goes back.
#[derive(Debug)]
pub(crate) struct Watch {
    last: i64,
    /// What was written meanwhile is still to be made due.
    went_back: bool,
}

impl Watch {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { last: clock.now_micros(), went_back: false }
    }

    /// Makes due what waits for a time that the clock has gone back from, where it has.
    pub(crate) async fn look(&mut self, store: &Store) {
        let now = store.inner.clock.now_micros();
        self.went_back |= now < self.last - micros(USUAL);
        self.last = now;
        if !self.went_back {
            return;
        }
        let service = store.service();
        match catch_up(store, now).await {
            Ok(count) => {
                self.went_back = false;
                tracing::warn!(
                    service,
                    count,
                    "the clock has gone back: what was put off by it is due"
                );
            }
            Err(error) => {
                tracing::warn!(
                    service,
                    error = describe(&error),
                    "what a clock put off waits still"
                );
            }
        }
    }
}

async fn catch_up(store: &Store, now: i64) -> Result<u64, Error> {
    let after = |time: Duration| now.saturating_add(micros(time));
    let lease = after(store.inner.leases.length);
    let statements = [
        (BEGUN, now, after(USUAL)),
        (FAILED, now, after(LONGEST_BACKOFF)),
        (TAKEN, lease, after(LONGEST_LEASE)),
        (TOLD, now, after(USUAL)),
        (REFUSED, now, after(LONGEST_BACKOFF)),
    ];
    let until = tokio::time::Instant::now() + crate::database::PATIENCE;
    let mut connection = store.begin_within(until).await?;
    let mut count = 0;
    for (sql, due, later) in statements {
        count += connection.execute(Statement::new(sql).bind(due).bind(later)).await?;
    }
    connection.commit(CATCH_UP).await?;
    store.inner.tasks.look();
    store.inner.events.notify_one();
    store.inner.tasks.missed();
    Ok(count)
}
