//! One partition that this replica holds: its entries, one after another.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::mesh::v1::DeliverRequest;
use mesh::{CancellationToken, Code, Intake, Status, Trace};
use prost::Message;
use redis::Script;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::partition;
use super::replies::written;
use crate::connection::{Redis, Repeat, script};

/// The group that reads a stream, and the name that whoever holds the lease reads under: what one had begun,
/// the next one finds.
pub(super) const GROUP: &str = "mesh";
pub(super) const OWNER: &str = "owner";
/// How long an entry may take.
const ACT_WITHIN: Duration = Duration::from_secs(30);

static SETTLE: LazyLock<Script> = LazyLock::new(|| script(include_str!("../scripts/settle.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| script(include_str!("../scripts/release.lua")));

/// Events of one sender, as they came.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: String,
    /// Where the sender hears; empty in an entry that was not understood.
    pub(super) reply: String,
    pub(super) number: u64,
    pub(super) trace: String,
    pub(super) data: Vec<u8>,
}

/// What this replica has of a partition.
pub(super) struct Lane {
    pub(super) stream: String,
    /// Whether others may have been given entries that are to be acted on here.
    pub(super) has_left: bool,
    /// The entries that were read and are not settled.
    known: Known,
    lease: Arc<Lease>,
    entries: UnboundedSender<Entry>,
    finish: CancellationToken,
    worker: JoinHandle<()>,
}

type Known = Arc<Mutex<HashSet<String>>>;

/// The right to act on a partition.
struct Lease {
    key: String,
    /// The holder and the fencing token.
    value: String,
    /// Until when nobody else can have it.
    until: Mutex<Instant>,
}

impl Lease {
    fn is_held(&self) -> bool {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) > Instant::now()
    }
}

impl Lane {
    /// Begins with what whoever held it before has left.
    pub(super) fn open(
        redis: &Redis,
        intake: &Intake,
        (consumer, partition): (&str, usize),
        value: String,
        until: Instant,
    ) -> Self {
        let lease = Arc::new(Lease {
            key: partition::lease(consumer, partition),
            value,
            until: Mutex::new(until),
        });
        let stream = partition::stream(consumer, partition);
        // As much as senders have on its way, which the stream's length bounds.
        let (entries, waiting) = unbounded_channel();
        let finish = CancellationToken::new();
        let known = Known::default();
        let work = Work {
            redis: redis.clone(),
            intake: intake.clone(),
            stream: stream.clone(),
            lease: Arc::clone(&lease),
            known: Arc::clone(&known),
            finish: finish.clone(),
        };
        let worker = tokio::spawn(work.run(waiting));
        Self { stream, has_left: true, known, lease, entries, finish, worker }
    }

    /// Whether it is this lease that it works under, and works.
    pub(super) fn works_under(&self, value: &str) -> bool {
        self.lease.value == value && !self.worker.is_finished()
    }

    pub(super) fn extend(&self, until: Instant) {
        *self.lease.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether it takes entries.
    pub(super) fn is_open(&self) -> bool {
        self.lease.is_held() && !self.finish.is_cancelled() && !self.worker.is_finished()
    }

    /// Takes an entry, once.
    pub(super) fn push(&self, entry: Entry) {
        if lock(&self.known).insert(entry.id.clone()) {
            // A worker that has ended leaves it to the next.
            let _ = self.entries.send(entry);
        }
    }

    /// Ends after the entry that it is at, and gives the lease up.
    pub(super) fn finish(&self) {
        self.finish.cancel();
    }

    pub(super) async fn ended(self) {
        let _ = self.worker.await;
    }
}

struct Work {
    redis: Redis,
    intake: Intake,
    stream: String,
    lease: Arc<Lease>,
    known: Known,
    finish: CancellationToken,
}

fn lock(known: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Work {
    async fn run(self, mut entries: UnboundedReceiver<Entry>) {
        loop {
            let entry = tokio::select! {
                biased;
                () = self.finish.cancelled() => break self.release().await,
                entry = entries.recv() => entry,
            };
            let Some(entry) = entry else { break };
            if !self.lease.is_held() || !self.act(entry).await {
                break;
            }
        }
    }

    /// Acts on an entry; whether the lease is still held.
    async fn act(&self, entry: Entry) -> bool {
        let answer = self.take(&entry).await;
        let mut settle = SETTLE.key(&self.stream);
        settle.key(&self.lease.key);
        settle.arg(&self.lease.value).arg(GROUP).arg(&entry.id);
        settle.arg(&entry.reply).arg(written(entry.number, &answer));
        // What is not settled is read again, and changes nothing.
        let settled =
            self.redis.run::<i64>(&settle, Repeat::Once).await.is_ok_and(|held| held == 1);
        if settled {
            lock(&self.known).remove(&entry.id);
        }
        settled
    }

    async fn take(&self, entry: &Entry) -> Result<(), Status> {
        let asked = DeliverRequest::decode(entry.data.as_slice());
        let asked = asked.map_err(|error| Status::new(Code::Internal, error.to_string()))?;
        let delivery = Trace::read(&entry.trace).unwrap_or(Trace::NONE);
        let until = Instant::now() + ACT_WITHIN;
        self.intake.take(&asked.consumer, &asked.events, Some(until), delivery).await
    }

    async fn release(&self) {
        let mut release = RELEASE.key(&self.lease.key);
        release.arg(&self.lease.value);
        // One that is not given up ends by itself.
        let _ = self.redis.run::<i64>(&release, Repeat::Once).await;
    }
}
