//! Tasks done: each by one process at a time, until it succeeds or has failed too often.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mesh::caller::DEFAULT_PROJECT;
use mesh::trace::Recording;
use mesh::{Caller, CancellationToken, Code, Context, Failure, Status, Trace};
use rand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::database::PATIENCE;
use crate::error::Error;
use crate::idle::Busy;
use crate::lease::Claim;
use crate::pool::Engine;
use crate::publisher;
use crate::statement::{Row, Statement};
use crate::store::Store;
use crate::tasks::{Task, micros};

/// How long a handler or a sweep may take; a task that takes longer is done again later.
const LONGEST: Duration = Duration::from_secs(55);
/// How often rows of other replicas are looked for.
pub(crate) const POLL: Duration = Duration::from_secs(1);
/// What the commits of the runner itself are counted under.
const TAKE: &str = "take_tasks";
const FORGET: &str = "forget";
const PAUSE: Duration = Duration::from_millis(50);
const MOST_AT_ONCE: usize = 16;
const MOST_ATTEMPTS: i64 = 20;
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// How long keys and noted events are remembered; a repeat that comes later is a new call.
const REMEMBER: Duration = Duration::from_hours(30 * 24);

type Handler = Arc<dyn Fn(Context, &str, Claim) -> Done + Send + Sync>;
type Sweep = Arc<dyn Fn(Context) -> Done + Send + Sync>;
type Done = BoxFuture<'static, Result<(), Status>>;

/// Does a store's tasks, empties its outbox, and sweeps.
pub struct Runner {
    store: Store,
    handlers: HashMap<&'static str, Handler>,
    sweeps: Vec<(Duration, &'static str, Sweep)>,
    most: usize,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("kinds", &self.handlers.keys()).finish_non_exhaustive()
    }
}

impl Runner {
    pub(crate) fn new(store: Store) -> Self {
        let forgetful = store.clone();
        let runner =
            Self { store, handlers: HashMap::new(), sweeps: Vec::new(), most: MOST_AT_ONCE };
        runner.every(Duration::from_hours(1), FORGET, move |_| {
            let store = forgetful.clone();
            async move { Ok(forget(&store).await?) }
        })
    }

    /// Does tasks of one kind: `|context, task: Refund, claim| async move { … }`.
    ///
    /// The handler calls as the service, on behalf of the customer for whom the task was started.
    /// It may end the task in the transaction of its effect with [`crate::Tx::finish`]; a task that
    /// it leaves is ended when it succeeds, and done again later when it fails.
    #[must_use]
    pub fn on<T, F, Fut>(mut self, handler: F) -> Self
    where
        T: Task + 'static,
        F: Fn(Context, T, Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let handler = move |context, payload: &str, claim| match serde_json::from_str(payload) {
            Ok(task) => handler(context, task, claim).boxed(),
            Err(error) => {
                let error = Error::Encoding(Box::new(error));
                futures_util::future::ready(Err(error.into())).boxed()
            }
        };
        self.handlers.insert(T::KIND, Arc::new(handler));
        self
    }

    /// Does something again and again, such as ending reservations that have run out.
    #[must_use]
    pub fn every<F, Fut>(mut self, period: Duration, name: &'static str, sweep: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.sweeps.push((period, name, Arc::new(move |context| sweep(context).boxed())));
        self
    }

    /// Does at most so many tasks at once, 16 when nothing is said.
    #[must_use]
    pub fn at_once(mut self, most: usize) -> Self {
        self.most = most.max(1);
        self
    }

    /// Runs until it is told to stop; what has begun then is finished.
    pub async fn run(self, stop: CancellationToken) {
        let Self { store, handlers, sweeps, most } = self;
        let mut loops = JoinSet::new();
        loops.spawn(publisher::run(store.clone(), stop.clone()));
        for (period, name, sweep) in sweeps {
            loops.spawn(repeat(store.clone(), period, name, sweep, stop.clone()));
        }
        if !handlers.is_empty() {
            let work = Work { store, handlers, most };
            loops.spawn(async move { work.run(stop).await });
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a loop of the runner ended early");
            }
        }
    }
}

async fn repeat(
    store: Store,
    period: Duration,
    name: &'static str,
    sweep: Sweep,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(sleep(period)).await.is_some() {
        let span = Recording::begun(name);
        let caller = Caller::service(store.service(), DEFAULT_PROJECT, None);
        let context = Context::new(caller, name, &span).until(Instant::now() + LONGEST);
        if let Err(status) = span.follow(sweep(context)).await {
            tracing::warn!(
                service = store.service(),
                name,
                error = status.message(),
                "sweep failed"
            );
        }
    }
}

/// Removes answers and noted events that are older than what is remembered.
async fn forget(store: &Store) -> Result<(), Error> {
    let before = store.inner.clock.now_micros().saturating_sub(micros(REMEMBER));
    for sql in [
        "DELETE FROM store_keys WHERE create_time < $1",
        "DELETE FROM store_inbox WHERE create_time < $1",
    ] {
        store.write(Statement::new(sql).bind(before), FORGET).await?;
    }
    Ok(())
}

/// The loop that takes tasks.
struct Work {
    store: Store,
    handlers: HashMap<&'static str, Handler>,
    most: usize,
}

impl Work {
    async fn run(self, stop: CancellationToken) {
        let kinds: Vec<_> = self.handlers.keys().copied().collect();
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            let next = self.take(&kinds, &mut running).await.unwrap_or_else(|error| {
                tracing::warn!(
                    service = self.store.service(),
                    error = describe(&error),
                    "tasks wait"
                );
                POLL
            });
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.inner.tasks.notified(), if running.len() < self.most => {}
                Some(_) = running.join_next() => {}
                () = sleep(next), if running.len() < self.most => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Takes what is due, as far as there is room; how long until the next may be.
    async fn take(
        &self,
        kinds: &[&'static str],
        running: &mut JoinSet<()>,
    ) -> Result<Duration, Error> {
        let room = self.most.saturating_sub(running.len());
        if room == 0 {
            return Ok(POLL);
        }
        // Held from before the rows are taken, so that they are never neither due nor running.
        let busy = Busy::new(&self.store);
        let now = self.store.inner.clock.now_micros();
        match self.next_due(kinds).await? {
            None => return Ok(POLL),
            Some(due) if due > now => {
                let wait = u64::try_from(due - now).unwrap_or_default();
                return Ok(Duration::from_micros(wait).min(POLL));
            }
            Some(_) => {}
        }
        let end = self.store.inner.leases.end();
        let rows = self.claim(kinds, now, room).await?;
        // Another replica is at what is due; asking again at once would find it no sooner.
        let next = if rows.is_empty() { PAUSE } else { Duration::ZERO };
        for row in rows {
            let taken = Taken::read(&row, end)?;
            let Some(handler) = self.handlers.get(taken.kind.as_str()) else { continue };
            let (store, handler) = (self.store.clone(), Arc::clone(handler));
            let busy = Busy::new(&self.store);
            running.spawn(async move {
                perform(&store, &handler, taken).await;
                drop(busy);
            });
        }
        drop(busy);
        Ok(next)
    }

    async fn next_due(&self, kinds: &[&'static str]) -> Result<Option<i64>, Error> {
        let sql = format!(
            "SELECT MIN(due_time) AS due FROM store_tasks WHERE dead = 0 AND kind IN ({})",
            places(kinds, 1)
        );
        let statement = kinds.iter().copied().fold(Statement::new(sql), Statement::bind);
        let rows = self.store.fetch(statement, Instant::now() + PATIENCE).await?;
        rows.first().map_or(Ok(None), |row| row.get("due"))
    }

    async fn claim(
        &self,
        kinds: &[&'static str],
        now: i64,
        room: usize,
    ) -> Result<Vec<Row>, Error> {
        let skip = match self.store.inner.pools.write.engine() {
            Engine::Sqlite => "",
            Engine::Postgres => "FOR UPDATE SKIP LOCKED",
        };
        let sql = format!(
            "WITH due AS (SELECT id FROM store_tasks WHERE dead = 0 AND due_time <= $1 AND kind IN ({}) \
             ORDER BY due_time LIMIT $2 {skip}) \
             UPDATE store_tasks SET token = token + 1, attempts = attempts + 1, due_time = $3 \
             WHERE id IN (SELECT id FROM due) \
             RETURNING id, kind, project, subject, payload, token, attempts, traceparent",
            places(kinds, 4)
        );
        let statement = Statement::new(sql)
            .bind(now)
            .bind(i64::try_from(room).unwrap_or(1))
            .bind(now.saturating_add(micros(self.store.inner.leases.length)));
        self.store.write(kinds.iter().copied().fold(statement, Statement::bind), TAKE).await
    }
}

fn places(kinds: &[&str], first: usize) -> String {
    (first..first + kinds.len()).map(|at| format!("${at}")).collect::<Vec<_>>().join(", ")
}

/// A task that this process has taken.
struct Taken {
    claim: Claim,
    kind: String,
    project: String,
    subject: String,
    payload: String,
    attempts: i64,
    traceparent: String,
}

impl Taken {
    fn read(row: &Row, lease_end: Instant) -> Result<Self, Error> {
        Ok(Self {
            claim: Claim::new(row.get::<String>("id")?, row.get("token")?, lease_end),
            kind: row.get("kind")?,
            project: row.get("project")?,
            subject: row.get("subject")?,
            payload: row.get("payload")?,
            attempts: row.get("attempts")?,
            traceparent: row.get("traceparent")?,
        })
    }
}

async fn perform(store: &Store, handler: &Handler, taken: Taken) {
    let claim = &taken.claim;
    store.hold(claim);
    let parent = Trace::read(&taken.traceparent).unwrap_or(Trace::NONE);
    let span = Recording::continued("task", &taken.kind, parent);
    let on_behalf = (!taken.subject.is_empty()).then(|| taken.subject.as_str().into());
    let caller = Caller::service(store.service(), taken.project.as_str(), on_behalf);
    let context = Context::new(caller, taken.kind.as_str(), &span);
    let context = context.until(Instant::now() + LONGEST);
    let work = AssertUnwindSafe(async { handler(context, &taken.payload, claim.clone()).await });
    let work = span.follow(timeout(LONGEST, work.catch_unwind()));
    let done = tokio::select! {
        done = work => done,
        // Another goes on with it; what this one would still do comes too late.
        () = claim.lost() => return,
    };
    let failure = match done {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(status))) => Some(status),
        Ok(Err(_)) => Some(failed(Code::Internal, "TASK_PANIC", "the task panicked")),
        Err(_) => Some(failed(Code::DeadlineExceeded, "TASK_TIMEOUT", "the task took too long")),
    };
    span.status(failure.as_ref().map_or(Code::Ok, Status::code));
    if claim.has_ended() {
        return;
    }
    let settled = match failure {
        None => end(store, claim, &taken.kind).await,
        Some(status) => span.follow(postpone(store, &taken, &status)).await,
    };
    if let Err(error) = settled {
        // Its lease ends, and it is done again.
        tracing::warn!(
            service = store.service(),
            task = claim.id(),
            error = describe(&error),
            "a task's end was not noted"
        );
    }
}

fn failed(code: Code, reason: &str, message: &str) -> Status {
    mesh::refuse(code, Error::DOMAIN, reason, message, mesh::Detail::default())
}

async fn end(store: &Store, claim: &Claim, kind: &str) -> Result<(), Error> {
    let statement = Statement::new("DELETE FROM store_tasks WHERE id = $1 AND token = $2");
    store.write(statement.bind(claim.id()).bind(claim.token()), kind).await.map(|_| ())
}

async fn postpone(store: &Store, taken: &Taken, status: &Status) -> Result<(), Error> {
    let claim = &taken.claim;
    let dead = taken.attempts >= MOST_ATTEMPTS;
    let (service, task, kind) = (store.service(), claim.id(), &taken.kind);
    let (attempts, error) = (taken.attempts, status.message());
    if dead {
        store.inner.counts.metrics.gave_up(service, kind);
        tracing::error!(
            service,
            task,
            kind,
            attempts,
            error,
            "a task is given up; it stays in store_tasks with dead = 1 until it is redriven"
        );
    } else {
        tracing::warn!(service, task, kind, attempts, error, "a task failed");
    }
    let statement = Statement::new(
        "UPDATE store_tasks SET due_time = $3, error = $4, dead = $5 WHERE id = $1 AND token = $2",
    );
    let due = store.inner.clock.now_micros().saturating_add(micros(backoff(attempts)));
    let statement = statement.bind(claim.id()).bind(claim.token()).bind(due);
    store.write(statement.bind(shorten(status)).bind(dead), kind).await.map(|_| ())
}

/// How long to wait after so many failures: twice as long each time, and a little by chance.
pub(crate) fn backoff(failures: i64) -> Duration {
    let doublings = u32::try_from(failures.clamp(1, 16) - 1).unwrap_or_default();
    let wait = BACKOFF.0.saturating_mul(1 << doublings).min(BACKOFF.1);
    wait.mul_f64(rand::rng().random_range(1.0..1.25))
}

/// What a row keeps of a failure.
pub(crate) fn shorten(status: &Status) -> String {
    let text = format!("{:?}: {}", status.code(), status.message());
    text[..text.floor_char_boundary(1000)].replace('\0', "")
}

/// An error with its causes, for the log.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
