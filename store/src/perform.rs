//! A task done: its handler called, and its end noted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mesh::trace::Recording;
use mesh::{Caller, Code, Context, Failure, Status, Trace};
use rand::Rng;
use tokio::time::{Instant, timeout};

use crate::error::Error;
use crate::lease::Claim;
use crate::runner::{describe, shorten};
use crate::statement::{Row, Statement};
use crate::store::Store;
use crate::tasks::micros;

/// How long a handler may take; a task that takes longer is done again later.
pub(crate) const LONGEST: Duration = Duration::from_secs(55);
const MOST_ATTEMPTS: i64 = 20;
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// No failure is followed by a longer wait.
pub(crate) const LONGEST_BACKOFF: Duration = Duration::from_secs(BACKOFF.1.as_secs() * 5 / 4);

pub(crate) type Handler = Arc<dyn Fn(Context, &str, Claim) -> Done + Send + Sync>;
pub(crate) type Done = BoxFuture<'static, Result<(), Status>>;

/// A task that this process has taken.
pub(crate) struct Taken {
    pub(crate) claim: Claim,
    pub(crate) kind: String,
    project: String,
    subject: String,
    payload: String,
    attempts: i64,
    traceparent: String,
}

impl Taken {
    /// What a claim gives back of each row.
    pub(crate) const COLUMNS: &str =
        "id, kind, project, subject, payload, token, attempts, traceparent";

    pub(crate) fn read(row: &Row, lease_end: Instant) -> Result<Self, Error> {
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

/// Does a task, and notes its end.
pub(crate) async fn perform(store: &Store, handler: &Handler, taken: Taken) {
    let claim = &taken.claim;
    store.hold(claim);
    let parent = Trace::read(&taken.traceparent).unwrap_or(Trace::NONE);
    let span = Recording::continued("task", &taken.kind, parent);
    let on_behalf = (!taken.subject.is_empty()).then(|| taken.subject.as_str().into());
    let caller = Caller::service(store.service(), taken.project.as_str(), on_behalf);
    let context = Context::new(caller, taken.kind.as_str(), &span);
    let context = context.until(Instant::now() + LONGEST);
    let work = AssertUnwindSafe(async {
        let done = handler(context.clone(), &taken.payload, claim.clone()).await;
        context.kept().await?;
        done
    });
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
    store.write(statement.bind(claim.id()).bind(claim.token()), kind).await?;
    claim.end();
    Ok(())
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
            "a task is given up; see it with `tradewind tasks show`, then retry or discard it"
        );
    } else {
        tracing::warn!(service, task, kind, attempts, error, "a task failed");
    }
    let statement = Statement::new(
        "UPDATE store_tasks SET due_time = $3, error = $4, dead = $5, held = 0 \
         WHERE id = $1 AND token = $2",
    );
    let due = store.inner.clock.now_micros().saturating_add(micros(backoff(attempts)));
    let statement = statement.bind(claim.id()).bind(claim.token()).bind(due);
    store.write(statement.bind(shorten(status)).bind(dead), kind).await?;
    if !dead {
        store.inner.tasks.later(due);
    }
    claim.end();
    Ok(())
}

/// How long to wait after so many failures: twice as long each time, and a little by chance.
pub(crate) fn backoff(failures: i64) -> Duration {
    let doublings = u32::try_from(failures.clamp(1, 16) - 1).unwrap_or_default();
    let wait = BACKOFF.0.saturating_mul(1 << doublings).min(BACKOFF.1);
    wait.mul_f64(rand::rng().random_range(1.0..1.25))
}
