//! Schedules: each firing becomes a task, once for all replicas, whoever of them is first.
//!
//! When a schedule fires next is a row. Who moves it starts the task of that firing in the same
//! transaction, so a firing is neither lost nor done twice; one that nobody was there for happens once,
//! when somebody is. While a firing's task is not over, the next ones add none.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mesh::CancellationToken;
use mesh::caller::DEFAULT_PROJECT;
use tokio::time::{Instant, sleep};

use crate::connection::Connection;
use crate::database::PATIENCE;
use crate::error::Error;
use crate::priority::Priority;
use crate::runner::describe;
use crate::schedule::Schedule;
use crate::statement::{Row, Statement};
use crate::store::Store;

/// What commits of firings are counted under.
const FIRE: &str = "fire_schedules";
/// A schedule that never fires again.
const NEVER: i64 = i64::MAX;
/// How long until it is tried again when the database could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

/// The schedules of one runner.
pub(crate) struct Scheduler {
    store: Store,
    known: Vec<Known>,
}

struct Known {
    name: &'static str,
    schedule: Schedule,
    /// When it fires next, as this process knows; another replica may have moved it since.
    due: i64,
}

impl Scheduler {
    pub(crate) fn new(store: Store, schedules: Vec<(&'static str, Schedule)>) -> Self {
        let known = schedules.into_iter().map(|(name, schedule)| Known { name, schedule, due: 0 });
        Self { known: known.collect(), store }
    }

    /// Fires what is due until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Err(error) = self.register().await {
            tracing::warn!(
                service = self.store.service(),
                error = describe(&error),
                "schedules wait"
            );
            if stop.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                return;
            }
        }
        self.fire_until(stop).await;
        self.store.inner.schedules.next.store(NEVER, Ordering::SeqCst);
    }

    async fn fire_until(&mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.fire_due().await {
                Ok(()) => self.until_next(),
                Err(error) => {
                    let (service, error) = (self.store.service(), describe(&error));
                    tracing::warn!(service, error, "schedules wait");
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.inner.schedules.changed.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// How long to sleep: the clock may be set meanwhile, so it is looked at now and then.
    fn until_next(&self) -> Duration {
        let now = self.store.inner.clock.now_micros();
        let next = self.known.iter().map(|known| known.due).min().unwrap_or(NEVER);
        let wait = u64::try_from(next.saturating_sub(now)).unwrap_or_default();
        Duration::from_micros(wait).min(PAUSE)
    }

    /// Reads when each fires next; a schedule that is new, or not what it was, begins now. As all that
    /// happens at the opening of a store, it is not counted.
    async fn register(&mut self) -> Result<(), Error> {
        let now = self.store.inner.clock.now_micros();
        let all = Statement::new("SELECT name, plan, due_time FROM store_schedules");
        let mut there = HashMap::new();
        for row in self.store.look(all).await? {
            let what: (String, String) = (row.get("name")?, row.get("plan")?);
            there.insert(what, row.get("due_time")?);
        }
        let mut unknown = Vec::new();
        for known in &mut self.known {
            match there.get(&(known.name.to_owned(), known.schedule.text())) {
                Some(due) => known.due = *due,
                None => unknown.push(known),
            }
        }
        if !unknown.is_empty() {
            let (pool, service) = (&self.store.inner.pools.write, self.store.service());
            let deadline = Instant::now() + PATIENCE;
            let mut writer = Connection::take(pool, service, &Arc::default(), deadline).await?;
            writer.begin().await?;
            for known in unknown {
                known.due = register(&mut writer, known, now).await?;
            }
            writer.commit(FIRE).await?;
        }
        self.tell();
        Ok(())
    }

    async fn fire_due(&mut self) -> Result<(), Error> {
        let now = self.store.inner.clock.now_micros();
        let mut fired = false;
        for known in &mut self.known {
            if known.due > now {
                continue;
            }
            let next = known.next(now);
            known.due = if fire(&self.store, known.name, known.due, next).await? {
                fired = true;
                next
            } else {
                due_of(&self.store, known.name).await?.unwrap_or(next)
            };
        }
        self.tell();
        if fired {
            self.store.inner.tasks.look();
        }
        Ok(())
    }

    /// Lets the store know when the next firing is.
    fn tell(&self) {
        let next = self.known.iter().map(|known| known.due).min().unwrap_or(NEVER);
        self.store.inner.schedules.next.store(next, Ordering::SeqCst);
    }
}

impl Known {
    fn next(&self, now: i64) -> i64 {
        self.schedule.next(now).unwrap_or(NEVER)
    }
}

/// Writes down a schedule; when it fires first, whichever replica was first to say so.
async fn register(connection: &mut Connection, known: &Known, now: i64) -> Result<i64, Error> {
    let statement = Statement::new(
        "INSERT INTO store_schedules (name, plan, due_time) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET plan = excluded.plan, due_time = CASE \
             WHEN store_schedules.plan = excluded.plan THEN store_schedules.due_time \
             ELSE excluded.due_time END \
         RETURNING due_time",
    );
    let due = known.next(now);
    let statement = statement.bind(known.name).bind(known.schedule.text()).bind(due);
    let rows = connection.fetch(statement).await?;
    rows.into_iter().next().map_or(Ok(due), |row| Row::new(row).get("due_time"))
}

async fn due_of(store: &Store, name: &'static str) -> Result<Option<i64>, Error> {
    let statement = Statement::new("SELECT due_time FROM store_schedules WHERE name = $1");
    let rows = store.look(statement.bind(name)).await?;
    rows.first().map(|row| row.get("due_time")).transpose()
}

/// Moves a schedule on and starts the task of its firing; false when another replica has.
async fn fire(store: &Store, name: &'static str, due: i64, next: i64) -> Result<bool, Error> {
    let mut connection = store.begin_within(Instant::now() + PATIENCE).await?;
    let moved = Statement::new(
        "UPDATE store_schedules SET due_time = $3 WHERE name = $1 AND due_time = $2",
    );
    if connection.execute(moved.bind(name).bind(due).bind(next)).await? == 0 {
        return Ok(false);
    }
    let started = Statement::new(
        "INSERT INTO store_tasks (id, kind, project, subject, payload, due_time, attempts, token, \
         dead, error, traceparent, create_time, priority) \
         SELECT $1, $2, $3, '', $4, $5, 0, 0, 0, '', '', $5, $6 \
         WHERE NOT EXISTS (SELECT 1 FROM store_tasks WHERE kind = $2 AND dead = 0)",
    );
    let now = store.inner.clock.now_micros();
    let started = started
        .bind(store.inner.ids.next("tsk"))
        .bind(name)
        .bind(DEFAULT_PROJECT)
        .bind(due.to_string())
        .bind(now)
        .bind(Priority::Bulk.number());
    connection.execute(started).await?;
    connection.commit(FIRE).await?;
    Ok(true)
}
