//! Many calls, one commit: calls that come while a transaction is under way share the next one.
//!
//! A task of its own writes while there are calls, so that a call that is given up midway leaves the
//! others as they are. A call alone is written at once.
//!
//! Invariant: a call is answered after the commit that holds it; other processes are kept apart by the
//! lock of the book, never by this one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use ::store::Store;
use mesh::caller::DEFAULT_PROJECT;
use mesh::trace::Recording;
use mesh::{Caller, Context, Trace};
use tokio::sync::oneshot;
use tradewind::ledger::v1::Transfer;
use tradewind::ledger::v1::transfer_result::Code;

use crate::error::Error;
use crate::store as sql;

/// How many transfers are gathered for one commit; the call that passes it is the last.
const GATHERED: usize = 8189;

/// Writes transfers, for every call of this process. Clones share the queue.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    store: Store,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    calls: VecDeque<Call>,
    /// Whether a task writes.
    busy: bool,
}

#[derive(Debug)]
struct Call {
    project: String,
    transfers: Vec<Transfer>,
    answer: oneshot::Sender<Result<Vec<Code>, Error>>,
    trace: Trace,
}

impl Writer {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, queue: Arc::default() }
    }

    /// Makes transfers in the book of a project, in order; without any, ends what is held beyond its time.
    pub(crate) async fn write(
        &self,
        project: &str,
        transfers: Vec<Transfer>,
        trace: Trace,
    ) -> Result<Vec<Code>, Error> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Call { project: project.to_owned(), transfers, answer, trace });
        answered.await.unwrap_or(Err(Error::Interrupted))
    }

    fn enqueue(&self, call: Call) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.calls.push_back(call);
        if !queue.busy {
            queue.busy = true;
            tokio::spawn(self.clone().run());
        }
    }

    async fn run(self) {
        while let Some(calls) = self.next() {
            // On a task of its own: should one batch panic, its calls are told, and the next are written.
            let flushed = tokio::spawn(flush(self.store.clone(), calls)).await;
            if let Err(error) = flushed {
                tracing::error!(%error, "a batch of transfers was not written");
            }
        }
    }

    /// The calls of the next commit; none when nobody waits, and the task ends.
    fn next(&self) -> Option<Vec<Call>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut calls, mut gathered) = (Vec::new(), 0);
        while gathered < GATHERED {
            let Some(call) = queue.calls.pop_front() else { break };
            // Whoever asked has gone before anything was done; a repeat brings the same ids.
            if !call.answer.is_closed() {
                gathered += call.transfers.len();
                calls.push(call);
            }
        }
        queue.busy = !calls.is_empty();
        queue.busy.then_some(calls)
    }
}

/// Writes calls in one transaction, and answers each.
async fn flush(store: Store, calls: Vec<Call>) {
    // It is in the trace of the first call; those that share it are named.
    let first = calls.first().map_or(Trace::NONE, |call| call.trace);
    let span = Recording::continued("write", "transfers", first);
    for call in calls.iter().skip(1) {
        span.link(call.trace);
    }
    let written = span.follow(commit(&store, &calls, span.at())).await;
    match written {
        Ok(results) => {
            for (call, codes) in calls.into_iter().zip(results) {
                // Whoever asked may have gone.
                let _ = call.answer.send(Ok(codes));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for call in calls {
                let _ = call.answer.send(Err(Error::Write(Arc::clone(&error))));
            }
        }
    }
}

/// What becomes of the calls, in their order.
async fn commit(
    store: &Store,
    calls: &[Call],
    trace: Trace,
) -> Result<Vec<Vec<Code>>, ::store::Error> {
    let caller = Caller::service(crate::NAME, DEFAULT_PROJECT, None);
    let context = Context::new(caller, "ledger.write", trace);
    // In the order of the projects, so that processes that write the same books cannot wait for each other.
    let mut books: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        books.entry(&call.project).or_default().push(at);
    }
    let mut results = vec![Vec::new(); calls.len()];
    let mut is_changed = false;
    let mut tx = store.begin_for(&context).await?;
    for (project, of_book) in books {
        let now = store.clock().now_micros();
        let batch: Vec<_> = of_book.iter().flat_map(|at| &calls[*at].transfers).collect();
        let mut book = sql::book::load(&mut tx, project, &batch, now).await?;
        book.expire();
        for at in of_book {
            results[at] = book.apply(&calls[at].transfers);
        }
        let changes = book.changes();
        if !changes.is_empty() {
            sql::book::write(&mut tx, project, &changes, now).await?;
            is_changed = true;
        }
    }
    // A batch that changes nothing needs no commit: what it found is others' to commit.
    if is_changed {
        tx.commit().await?;
    } else {
        tx.leave().await?;
    }
    Ok(results)
}

#[cfg(test)]
mod tests;
