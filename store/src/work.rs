//! The loop that takes tasks: those that are due, by priority, as far as there is room.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesh::CancellationToken;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::agenda::{Look, Place};
use crate::ahead::Watch;
use crate::database::PATIENCE;
use crate::error::Error;
use crate::idle::Busy;
use crate::lease::Claim;
use crate::perform::{Handler, Taken, perform};
use crate::pool::Engine;
use crate::priority::{Candidate, Lane, Load, Priority, share};
use crate::runner::describe;
use crate::statement::{Row, Statement};
use crate::store::Store;
use crate::tasks::micros;

/// What the commits of the runner itself are counted under.
const TAKE: &str = "take_tasks";
const HAND_OVER: &str = "hand_over_tasks";
/// When another replica was at what is due, asking again at once would find it no sooner.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a task that was told to stop may take to notice.
const NOTICE: Duration = Duration::from_secs(1);

/// How tasks of one kind are done.
pub(crate) struct Kind {
    handler: Handler,
    most: usize,
    running: Arc<AtomicUsize>,
}

impl Kind {
    pub(crate) fn new(handler: Handler, most: usize) -> Self {
        Self { handler, most, running: Arc::default() }
    }

    fn load(&self) -> Load {
        Load { most: self.most, running: self.running.load(Ordering::SeqCst) }
    }
}

/// What a running task takes of the room of its kind.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(of: &Kind) -> Self {
        of.running.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&of.running))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The loop that takes tasks.
pub(crate) struct Work {
    store: Store,
    kinds: HashMap<&'static str, Kind>,
    most: usize,
    running: Running,
}

/// Tasks that run, with their claims.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    claims: HashMap<Id, Claim>,
}

impl Running {
    /// Waits until one has ended; never where there is none.
    async fn one_ends(&mut self) -> Option<()> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.map_or_else(|error: JoinError| error.id(), |(id, ())| id);
        self.claims.remove(&id);
        Some(())
    }
}

impl Work {
    pub(crate) fn new(store: Store, kinds: HashMap<&'static str, Kind>, most: usize) -> Self {
        Self { store, kinds, most, running: Running::default() }
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut watch = Watch::new(&self.store.inner.clock);
        while !stop.is_cancelled() {
            watch.look(&self.store).await;
            let next = self.take().await.unwrap_or_else(|error| {
                tracing::warn!(
                    service = self.store.service(),
                    error = describe(&error),
                    "tasks wait"
                );
                // What was to be looked at, or was found, is looked for again.
                self.store.inner.tasks.missed();
                self.poll()
            });
            let has_room = self.running.tasks.len() < self.most;
            self.store.inner.has_room.store(has_room, Ordering::SeqCst);
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.inner.tasks.changed(), if has_room => {}
                Some(()) = self.running.one_ends() => {}
                () = sleep(next), if has_room => {}
            }
        }
        self.store.inner.has_room.store(false, Ordering::SeqCst);
        self.stop().await;
    }

    fn poll(&self) -> Duration {
        self.store.inner.pace.poll
    }

    /// Takes what is due, as far as there is room; how long until the next may be.
    async fn take(&mut self) -> Result<Duration, Error> {
        let room = self.most.saturating_sub(self.running.tasks.len());
        if room == 0 {
            return Ok(self.poll());
        }
        // Held from before the rows are taken, so that they are never neither due nor running.
        let busy = Busy::new(&self.store);
        let now = self.store.inner.clock.now_micros();
        let due = self.due(now, room).await?;
        let loads = self.kinds.iter().map(|(kind, of)| (*kind, of.load())).collect();
        let lanes = share(due.clone(), loads, self.most);
        let end = self.store.inner.leases.end();
        let rows = self.claim(&lanes, now).await?;
        // There is more than this process can do: others need not wait until they look. Only who has
        // taken some says so, or processes without room would go on ringing at each other.
        if !rows.is_empty() && due.len() > rows.len() {
            self.store.inner.ring();
        }
        let others_took = rows.is_empty() && !lanes.is_empty();
        let left = if others_took { places(&due) } else { left(&due, &lanes, room) };
        let has_more = !rows.is_empty() && !left.is_empty();
        self.store.inner.tasks.remain(left);
        for row in rows {
            self.begin(Taken::read(&row, end)?);
        }
        drop(busy);
        // What is due and has no room has it when one of its kind ends.
        let next = self.store.inner.tasks.until_next(now).min(self.poll());
        Ok(if has_more {
            Duration::ZERO
        } else if others_took {
            PAUSE
        } else {
            next
        })
    }

    fn begin(&mut self, taken: Taken) {
        let Some(kind) = self.kinds.get(taken.kind.as_str()) else { return };
        let (store, handler) = (self.store.clone(), Arc::clone(&kind.handler));
        let (busy, seat) = (Busy::new(&self.store), Seat::take(kind));
        let claim = taken.claim.clone();
        let task = self.running.tasks.spawn(async move {
            perform(&store, &handler, taken).await;
            drop((busy, seat));
        });
        self.running.claims.insert(task.id(), claim);
    }

    /// What is due, wherever something may be: of each place as many as could be taken.
    async fn due(&self, now: i64, room: usize) -> Result<Vec<Candidate>, Error> {
        let agenda = &self.store.inner.tasks;
        let look = agenda.take(now, self.poll());
        let found = match &look {
            Look::At(places) => {
                let places = places.iter().filter(|(kind, _)| self.kinds.contains_key(kind));
                self.candidates(&places.copied().collect::<Vec<_>>(), now, room).await
            }
            // What is not due yet tells when to look again.
            Look::Everywhere => {
                let kinds = self.kinds.keys();
                let places = kinds.flat_map(|kind| Priority::ALL.map(|priority| (*kind, priority)));
                self.candidates(&places.collect::<Vec<_>>(), i64::MAX, room).await
            }
        };
        let (due, later): (Vec<_>, Vec<_>) = found?.into_iter().partition(|it| it.due <= now);
        if let Some(next) = later.iter().map(|it| it.due).min() {
            agenda.later(next);
        }
        Ok(due)
    }

    /// The first tasks of each place that come due until a time: as many as there is room for.
    async fn candidates(
        &self,
        places: &[Place],
        until: i64,
        room: usize,
    ) -> Result<Vec<Candidate>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let statement = Statement::new(next_sql(places.len())).bind(as_i64(room)).bind(until);
        let statement = places.iter().fold(statement, |statement, (kind, priority)| {
            statement.bind(*kind).bind(priority.number())
        });
        let rows = self.store.look(statement).await?;
        let candidates = rows.iter().map(|row| {
            let place = usize::try_from(row.get::<i64>("place")?).unwrap_or_default();
            let due = row.get("due_time")?;
            Ok(places.get(place).map(|(kind, priority)| Candidate {
                kind,
                priority: *priority,
                due,
            }))
        });
        candidates.filter_map(Result::transpose).collect()
    }

    /// Takes tasks of each lane, in one transaction.
    async fn claim(&self, lanes: &[Lane], now: i64) -> Result<Vec<Row>, Error> {
        if lanes.is_empty() {
            return Ok(Vec::new());
        }
        let until = now.saturating_add(micros(self.store.inner.leases.length));
        let claim = |lane: &Lane| {
            Statement::new(claim_sql(self.store.inner.pools.write.engine()))
                .bind(lane.kind)
                .bind(lane.priority.number())
                .bind(now)
                .bind(lane.count)
                .bind(until)
        };
        if let [lane] = lanes {
            return self.store.write(claim(lane), TAKE).await;
        }
        let mut connection = self.store.begin_within(Instant::now() + PATIENCE).await?;
        let mut rows = Vec::new();
        for lane in lanes {
            rows.extend(connection.fetch(claim(lane)).await?.into_iter().map(Row::new));
        }
        connection.commit(TAKE).await?;
        Ok(rows)
    }

    /// Lets what runs end within the grace, and leaves the rest to others at once.
    async fn stop(mut self) {
        let end = Instant::now() + self.store.inner.pace.grace;
        while let Ok(Some(())) = timeout_at(end, self.running.one_ends()).await {}
        if self.running.tasks.is_empty() {
            return;
        }
        let claims: Vec<_> = self.running.claims.values().cloned().collect();
        self.running.tasks.abort_all();
        let stopped = async { while self.running.tasks.join_next().await.is_some() {} };
        // Who does not notice in time is refused by its claim, which is an older one from now on.
        let _ = timeout(NOTICE, stopped).await;
        match hand_over(&self.store, &claims).await {
            Ok(left) => {
                tracing::info!(service = self.store.service(), left, "tasks are left to others");
            }
            Err(error) => {
                let (service, error) = (self.store.service(), describe(&error));
                tracing::warn!(service, error, "tasks rest until their leases end");
            }
        }
    }
}

/// Where tasks were found.
fn places(due: &[Candidate]) -> BTreeSet<Place> {
    due.iter().map(|it| (it.kind, it.priority)).collect()
}

/// Where there are more than are taken, or were more than fitted into a look.
fn left(due: &[Candidate], lanes: &[Lane], room: usize) -> BTreeSet<Place> {
    let mut places = places(due);
    places.retain(|place| {
        let found = due.iter().filter(|it| (it.kind, it.priority) == *place).count();
        let taken = lanes.iter().find(|lane| (lane.kind, lane.priority) == *place);
        found >= room || taken.is_none_or(|lane| as_i64(found) > lane.count)
    });
    places
}

/// Makes claimed tasks due for whoever is next, with a token that their holders do not have; how many
/// there were. That a process stops is no failure of theirs, so the attempt is not counted.
async fn hand_over(store: &Store, claims: &[Claim]) -> Result<u64, Error> {
    let mut connection = store.begin_within(Instant::now() + PATIENCE).await?;
    let mut left = 0;
    for claim in claims {
        claim.end();
        let statement = Statement::new(
            "UPDATE store_tasks SET due_time = $3, token = token + 1, attempts = attempts - 1, \
             held = 0 WHERE id = $1 AND token = $2",
        );
        let now = store.inner.clock.now_micros();
        let statement = statement.bind(claim.id()).bind(claim.token()).bind(now);
        left += connection.execute(statement).await?;
    }
    connection.commit(HAND_OVER).await?;
    if let Some(bells) = &store.inner.pools.bells {
        // Waited for: the process ends next. Who does not hear it looks now and then.
        if let Err(error) = bells.ring_now(store.service()).await {
            tracing::debug!(error = describe(&error), "others were not woken");
        }
    }
    Ok(left)
}

/// The next rows of so many places, each by itself, so that every part is the beginning of an index.
fn next_sql(places: usize) -> String {
    let lanes = (0..places).map(|place| {
        let (kind, priority) = (2 * place + 3, 2 * place + 4);
        format!(
            "SELECT place, due_time FROM (SELECT CAST({place} AS BIGINT) AS place, due_time \
             FROM store_tasks WHERE dead = 0 AND kind = ${kind} AND priority = ${priority} \
             AND due_time <= $2 ORDER BY due_time LIMIT $1) AS lane"
        )
    });
    lanes.collect::<Vec<_>>().join(" UNION ALL ")
}

/// Takes the first rows of a lane. PostgreSQL is told by an array that they are few: of a LIMIT that it
/// does not know it expects a tenth of the table, and would read all of it.
fn claim_sql(engine: Engine) -> String {
    let first = "SELECT id FROM store_tasks \
         WHERE dead = 0 AND kind = $1 AND priority = $2 AND due_time <= $3 \
         ORDER BY due_time LIMIT $4";
    let these = match engine {
        Engine::Sqlite => format!("IN ({first})"),
        Engine::Postgres => format!("= ANY(ARRAY({first} FOR UPDATE SKIP LOCKED))"),
    };
    format!(
        "UPDATE store_tasks SET token = token + 1, attempts = attempts + 1, held = 1, \
         due_time = $5 WHERE id {these} RETURNING {}",
        Taken::COLUMNS
    )
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) use tests::plan;

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row as _, SqliteConnection};

    use super::*;

    /// How SQLite goes about a statement, on the store's own tables.
    pub(crate) async fn plan(sql: String) -> String {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let own = [
            include_str!("../migrations/0001_store.sql"),
            include_str!("../migrations/0002_tasks.sql"),
        ];
        let own = own.concat().replace("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT");
        sqlx::raw_sql(AssertSqlSafe(own)).execute(&mut connection).await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        let steps = rows.iter().map(|row| row.get::<String, _>("detail"));
        steps.collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn on_sqlite_a_lane_is_the_beginning_of_an_index_however_many_tasks_wait() {
        for sql in [next_sql(2), claim_sql(Engine::Sqlite)] {
            let plan = plan(sql).await;

            assert!(plan.contains("INDEX store_tasks_lanes (kind=? AND priority=?"), "{plan}");
            // Neither all of the table, nor what was found put in order.
            assert!(!plan.contains("SCAN store_tasks"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
