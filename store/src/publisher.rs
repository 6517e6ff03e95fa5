//! The outbox emptied: events handed to their consumers, in the order of each key.
//!
//! Two replicas may hand over the same event, and a consumer acts on it once. An event that is
//! refused waits, and later events of its key wait behind it; other keys go on.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use contract::mesh::v1::Event;
use futures_util::future::join_all;
use mesh::caller::DEFAULT_PROJECT;
use mesh::clock::timestamp;
use mesh::trace::Recording;
use mesh::{Caller, CancellationToken, Code, Context, Status, Trace};
use tokio::time::{Instant, sleep};

use crate::database::PATIENCE;
use crate::error::Error;
use crate::idle::Busy;
use crate::perform::backoff;
use crate::runner::{describe, shorten};
use crate::statement::{Row, Statement};
use crate::store::Store;
use crate::tasks::micros;

/// What commits of delivered events are counted under.
const PUBLISH: &str = "publish";
const BATCH: u32 = 100;
/// So many refusals make an event wait for a person.
const MOST_REFUSALS: i64 = 20;
/// How long a consumer may take for a batch.
const DELIVER_WITHIN: Duration = Duration::from_secs(30);
/// The longest rest that a consumer that cannot be reached is given.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Events that wait for a consumer, oldest first; none behind one of its key that waits longer.
const DUE: &str = "SELECT position, attempts, id, project, type, key, subject, data, traceparent, create_time \
     FROM store_outbox AS event WHERE consumer = $1 AND deliver_time IS NULL AND due_time <= $2 \
     AND NOT EXISTS (SELECT 1 FROM store_outbox AS before \
         WHERE before.consumer = event.consumer AND before.project = event.project \
         AND before.key = event.key AND before.position < event.position \
         AND before.deliver_time IS NULL AND before.due_time > $2) \
     ORDER BY position LIMIT $3";

struct Waiting {
    position: i64,
    attempts: i64,
    event: Event,
}

/// A consumer that could not be reached.
struct Rest {
    until: Instant,
    failures: i64,
}

pub(crate) async fn run(store: Store, stop: CancellationToken) {
    let mut resting: HashMap<String, Rest> = HashMap::new();
    while !stop.is_cancelled() {
        if let Err(error) = publish(&store, &mut resting).await {
            tracing::warn!(service = store.service(), error = describe(&error), "events wait");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = store.inner.events.notified() => {}
            () = sleep(store.inner.pace.poll) => {}
        }
    }
}

/// Hands over what is due, to all consumers at once.
async fn publish(store: &Store, resting: &mut HashMap<String, Rest>) -> Result<(), Error> {
    let _busy = Busy::new(store);
    let now = store.inner.clock.now_micros();
    let due = Statement::new(
        "SELECT DISTINCT consumer FROM store_outbox WHERE deliver_time IS NULL AND due_time <= $1",
    );
    let rows = store.fetch(due.bind(now), Instant::now() + PATIENCE).await?;
    let mut consumers = Vec::new();
    for row in rows {
        let consumer: String = row.get("consumer")?;
        if resting.get(&consumer).is_none_or(|rest| rest.until <= Instant::now()) {
            consumers.push(consumer);
        }
    }
    let drained = join_all(consumers.iter().map(|consumer| drain(store, consumer))).await;
    for (consumer, reached) in consumers.into_iter().zip(drained) {
        if reached? {
            resting.remove(&consumer);
            continue;
        }
        let failures = resting.get(&consumer).map_or(0, |rest| rest.failures) + 1;
        let until = Instant::now() + backoff(failures).min(LONGEST_REST);
        resting.insert(consumer, Rest { until, failures });
    }
    Ok(())
}

/// Hands batch after batch to a consumer; whether it could be reached.
async fn drain(store: &Store, consumer: &str) -> Result<bool, Error> {
    loop {
        let batch = due(store, consumer).await?;
        let more = batch.len() == BATCH as usize;
        if batch.is_empty() {
            return Ok(true);
        }
        let events = batch.iter().map(|waiting| waiting.event.clone()).collect();
        match deliver(store, consumer, events).await {
            Ok(()) => {
                delivered(store, batch.iter().map(|waiting| waiting.position).collect()).await?;
            }
            Err(status) if is_unreachable(&status) => return Ok(false),
            Err(status) if batch.len() == 1 => postpone(store, &batch[0], &status).await?,
            Err(_) => {
                if !one_by_one(store, consumer, &batch).await? {
                    return Ok(false);
                }
            }
        }
        if !more {
            return Ok(true);
        }
    }
}

/// Finds the events of a batch that are refused, and lets the others through.
async fn one_by_one(store: &Store, consumer: &str, batch: &[Waiting]) -> Result<bool, Error> {
    let mut blocked = HashSet::new();
    let mut done = Vec::new();
    let mut reached = true;
    for waiting in batch {
        let key = (&waiting.event.project, &waiting.event.key);
        if blocked.contains(&key) {
            continue;
        }
        match deliver(store, consumer, vec![waiting.event.clone()]).await {
            Ok(()) => done.push(waiting.position),
            Err(status) if is_unreachable(&status) => {
                reached = false;
                break;
            }
            Err(status) => {
                postpone(store, waiting, &status).await?;
                blocked.insert(key);
            }
        }
    }
    delivered(store, done).await?;
    Ok(reached)
}

async fn due(store: &Store, consumer: &str) -> Result<Vec<Waiting>, Error> {
    let now = store.inner.clock.now_micros();
    let statement = Statement::new(DUE).bind(consumer).bind(now).bind(BATCH);
    let rows = store.fetch(statement, Instant::now() + PATIENCE).await?;
    rows.iter().map(waiting).collect()
}

fn waiting(row: &Row) -> Result<Waiting, Error> {
    let event = Event {
        id: row.get("id")?,
        r#type: row.get("type")?,
        project: row.get("project")?,
        key: row.get("key")?,
        subject: row.get("subject")?,
        time: Some(timestamp(row.get("create_time")?)),
        data: row.get("data")?,
        traceparent: row.get("traceparent")?,
    };
    Ok(Waiting { position: row.get("position")?, attempts: row.get("attempts")?, event })
}

async fn deliver(store: &Store, consumer: &str, events: Vec<Event>) -> Result<(), Status> {
    let known = events.first().map(|event| store.inner.bus.consumers(&event.r#type));
    let known = known.unwrap_or_default().into_iter().find(|known| *known == consumer);
    let Some(consumer) = known else {
        return Err(Status::unavailable(format!(
            "{consumer} does not consume events at the moment"
        )));
    };
    let span = publishing(consumer, &events);
    let caller = Caller::service(store.service(), DEFAULT_PROJECT, None);
    let context = Context::new(caller, "publish", &span).until(Instant::now() + DELIVER_WITHIN);
    let delivered = span.follow(store.inner.bus.deliver(&context, consumer, events)).await;
    span.status(delivered.as_ref().err().map_or(Code::Ok, Status::code));
    delivered
}

/// Events of one trace are delivered within it; those of several have a trace of their own, which names each.
fn publishing(consumer: &str, events: &[Event]) -> Recording {
    let of = |event: &Event| Trace::read(&event.traceparent).unwrap_or(Trace::NONE);
    let first = events.first().map_or(Trace::NONE, of);
    if events.iter().all(|event| first.is_with(&of(event))) {
        return Recording::continued("publish", consumer, first);
    }
    let span = Recording::begun("publish");
    for event in events {
        span.link(of(event));
    }
    span
}

/// Whether a failure says nothing of the events.
fn is_unreachable(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}

/// Lets an event that was refused wait, and those of its key behind it: for a while, or for a person.
async fn postpone(store: &Store, waiting: &Waiting, status: &Status) -> Result<(), Error> {
    let attempts = waiting.attempts + 1;
    let dead = attempts >= MOST_REFUSALS;
    let (service, event, r#type) = (store.service(), &waiting.event.id, &waiting.event.r#type);
    let (position, error) = (waiting.position, status.message());
    if dead {
        store.inner.counts.metrics.event_gave_up(service, r#type);
        tracing::error!(
            service,
            event,
            r#type,
            position,
            error,
            "an event is given up; it and what comes after it of its key wait until a person decides"
        );
    } else {
        tracing::warn!(service, event, r#type, position, attempts, error, "an event was refused");
    }
    let statement = Statement::new(
        "UPDATE store_outbox SET attempts = $2, due_time = $3, error = $4, dead = $5 \
         WHERE position = $1 AND deliver_time IS NULL",
    );
    let later = store.inner.clock.now_micros().saturating_add(micros(backoff(attempts)));
    let due = if dead { i64::MAX } else { later };
    let statement = statement.bind(position).bind(attempts).bind(due).bind(shorten(status));
    store.write(statement.bind(dead), PUBLISH).await.map(|_| ())
}

/// Notes that events were delivered; they are kept for a while, to be delivered again if need be.
async fn delivered(store: &Store, mut positions: Vec<i64>) -> Result<(), Error> {
    let Some(last) = positions.last().copied() else { return Ok(()) };
    // Few lengths make few statements to keep prepared.
    positions.resize(positions.len().next_power_of_two(), last);
    let places: Vec<_> = (2..positions.len() + 2).map(|at| format!("${at}")).collect();
    let sql = format!(
        "UPDATE store_outbox SET deliver_time = $1, error = '' WHERE position IN ({})",
        places.join(", ")
    );
    let statement = Statement::new(sql).bind(store.inner.clock.now_micros());
    store.write(positions.into_iter().fold(statement, Statement::bind), PUBLISH).await.map(|_| ())
}
