//! Commits that share a write to the disk.
//!
//! On SQLite a commit waits for the disk, and the writers of a file wait for each other. Whoever has written
//! while others wait leaves its changes in the open transaction, and the next one writes on behind a savepoint
//! of its own; when all that waited have written, one commit ends it for all. Where nobody waits, a writer commits
//! at once. Nobody is told of success before what it wrote is on the disk, and who is rolled back takes nothing of
//! the others along.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::connection::Counts;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::runner::describe;

/// How many share a commit at most: a crash undoes them all, and the first has waited for the last.
const MOST: usize = 64;
/// How long the end of a group waits for its turn: behind those that were there before it, however long they take.
const PATIENCE: Duration = Duration::from_hours(1);

/// Those whose changes are in an open transaction, and who wait for its end. Dropped, it tells them that there
/// was none.
#[derive(Debug, Default)]
pub(crate) struct Group {
    members: Vec<oneshot::Sender<()>>,
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.members.len() >= MOST
    }

    /// One more; what it waits for, and whether it is the first.
    pub(crate) fn join(&mut self) -> (oneshot::Receiver<()>, bool) {
        let (tell, told) = oneshot::channel();
        self.members.push(tell);
        (told, self.members.len() == 1)
    }

    /// The transaction is committed.
    pub(crate) fn committed(&mut self) {
        for member in self.members.drain(..) {
            // Whoever went away need not know.
            let _ = member.send(());
        }
    }
}

/// Commits a group when everybody has written who waited as it began.
pub(crate) async fn close(pool: Pool, service: &'static str, counts: Arc<Counts>) {
    // What its members wait for; a wait that anybody feels is counted where they wait.
    let uncounted = Metrics::default();
    let taken = pool.take(service, Instant::now() + PATIENCE, &uncounted).await;
    let mut held = match taken {
        Ok(held) => held,
        Err(error) => return tracing::error!(service, error = describe(&error), "commits wait"),
    };
    // Its last member may have ended it.
    if held.group.is_empty() {
        return pool.give_back(held);
    }
    match held.end("COMMIT").await {
        Ok(()) => {
            counts.syncs.fetch_add(1, Ordering::Relaxed);
            held.group.committed();
            pool.give_back(held);
        }
        Err(error) => {
            // The connection is closed, which undoes what it did not commit, and its members are told.
            let error = Error::from(error);
            tracing::error!(service, error = describe(&error), "a commit failed");
        }
    }
}
