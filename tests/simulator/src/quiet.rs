//! The end of a history: no more faults, and time goes on until nothing is left to do.

use std::time::Duration;

use anyhow::{Result, bail};
use harness::Harness;
use mesh::Context;
use store::Row;

use crate::time::both;
use crate::world::SERVICES;

/// How often time is moved to the next thing that is due; a payment is asked for sixty times at most.
const MOST_MOVES: usize = 400;
/// The longest pause of anything that waits by the runtime's time, with some room.
const LONGEST_PAUSE: Duration = Duration::from_secs(40);

/// Something that a service has still to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) service: &'static str,
    /// The kind of a task, or the type of an event.
    pub(crate) kind: String,
    /// What it is about, as it is written.
    pub(crate) about: String,
    due: i64,
    pub(crate) dead: bool,
}

/// Lets everything come to rest; what concerns the excused is not waited for.
pub(crate) async fn rest(harness: &Harness, excused: &[String]) -> Result<()> {
    let mut left = Vec::new();
    for _ in 0..MOST_MOVES {
        harness.settle().await;
        left = self::left(harness, excused).await?;
        let Some(next) = left.iter().filter(|left| !left.dead).map(|left| left.due).min() else {
            return Ok(());
        };
        let wait = u64::try_from(next - harness.clock.now_micros()).unwrap_or_default();
        let wait = Duration::from_micros(wait);
        both(&harness.clock, wait, wait.min(LONGEST_PAUSE)).await;
    }
    bail!("time was moved {MOST_MOVES} times, and there is still something to do: {left:?}")
}

/// What is left to do in all services, but what concerns the excused.
pub(crate) async fn left(harness: &Harness, excused: &[String]) -> Result<Vec<Left>> {
    let mut left = Vec::new();
    for service in SERVICES {
        let reader = harness.store(service).read(&anybody(harness));
        let tasks = reader.unscoped(
            "SELECT kind, payload AS about, due_time AS due, dead FROM store_tasks \
             UNION ALL SELECT type AS kind, key AS about, due_time AS due, dead FROM store_outbox \
             WHERE deliver_time IS NULL",
        );
        for row in tasks.fetch_all().await? {
            let found = read(service, &row)?;
            if !excused.iter().any(|id| found.about.contains(id)) {
                left.push(found);
            }
        }
    }
    Ok(left)
}

fn read(service: &'static str, row: &Row) -> Result<Left> {
    Ok(Left {
        service,
        kind: row.get("kind")?,
        about: row.get("about")?,
        due: row.get("due")?,
        dead: row.get("dead")?,
    })
}

/// Whoever may read everything.
pub(crate) fn anybody(harness: &Harness) -> Context {
    harness.as_user("usr_auditor", &["admin", "merchant"], mesh::caller::DEFAULT_PROJECT)
}
