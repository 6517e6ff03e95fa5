//! Idempotency keys: one effect and one end for each, answer or refusal, however often the call comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh::{Context, HasContext, KeepsRefusal, Replay, Status, async_trait, replay};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

use crate::database::PATIENCE;
use crate::error::Error;
use crate::statement::{Row, Statement};
use crate::store::{Store, deadline};
use crate::tx::Tx;

/// A repeat is refused so long before its deadline, so that it hears why.
const MARGIN: Duration = Duration::from_millis(20);
/// How often a repeat asks for an answer that another process gives.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A key in its scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeyId {
    project: String,
    method: Arc<str>,
    actor: String,
    key: Arc<str>,
}

/// A key that a transaction has claimed; its row is committed with the answer.
#[derive(Debug)]
pub(crate) struct Key {
    id: KeyId,
    /// The answer comes from a later transaction.
    open: bool,
    pub(crate) answer: Option<Vec<u8>>,
    _turn: Turn,
}

/// Calls with equal keys, one after another, before they take a connection.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<HashMap<KeyId, Arc<tokio::sync::Mutex<()>>>>,
}

/// A place in the queue, or at its head.
#[derive(Debug)]
struct Turn {
    queue: Arc<Queue>,
    id: KeyId,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turn {
    async fn take(queue: &Arc<Queue>, id: KeyId, deadline: Instant) -> Result<Self, Error> {
        let mutex = {
            let mut waiting = queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(waiting.entry(id.clone()).or_default())
        };
        let mut turn = Self { queue: Arc::clone(queue), id, guard: None };
        let guard = timeout_at(deadline, mutex.lock_owned()).await;
        turn.guard = Some(guard.map_err(|_| Error::KeyInProgress)?);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut waiting = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.get(&self.id).is_some_and(|mutex| Arc::strong_count(mutex) == 1) {
            waiting.remove(&self.id);
        }
    }
}

/// What is known of a key that came before.
enum Earlier {
    Ended(Replay),
    InProgress,
    /// The call that had it has just given it up.
    Gone,
}

impl Earlier {
    /// Of the row of a key, where there is one, for a message of this hash.
    fn of(row: Option<&Row>, hash: &[u8]) -> Result<Self, Error> {
        let Some(row) = row else { return Ok(Self::Gone) };
        if row.get::<Vec<u8>>("hash")? != hash {
            return Err(Error::KeyReused);
        }
        if let Some(answer) = row.get::<Option<Vec<u8>>>("answer")? {
            return Ok(Self::Ended(Replay::Answer(answer.into())));
        }
        let refusal = row.get::<Option<Vec<u8>>>("refusal")?;
        let refused = |refusal: Vec<u8>| Self::Ended(Replay::Refusal(refusal.into()));
        Ok(refusal.map_or(Self::InProgress, refused))
    }
}

/// Keeps a refusal of a call under its key.
#[derive(Debug)]
struct Keeper {
    store: Store,
    id: KeyId,
    hash: Vec<u8>,
}

#[async_trait]
impl KeepsRefusal for Keeper {
    async fn keep(&self, refusal: Status) -> Status {
        match self.insert(&refusal).await {
            Ok(()) => refusal,
            Err(error) => error.into(),
        }
    }
}

impl Keeper {
    /// Leaves with how another call with the key has ended, if one came between.
    async fn insert(&self, refusal: &Status) -> Result<(), Error> {
        let refusal = replay::encoded(refusal);
        let statement = of(
            "INSERT INTO store_keys (project, method, actor, key, hash, process, refusal, create_time) \
             VALUES ($1, $2, $3, $4, $5, '', $6, $7) ON CONFLICT DO NOTHING RETURNING key",
            &self.id,
        );
        let now = self.store.inner.clock.now_micros();
        let statement = statement.bind(&*self.hash).bind(&*refusal).bind(now);
        if !self.store.write(statement, &self.id.method).await?.is_empty() {
            return Ok(());
        }
        let rows = self.store.fetch(of(EARLIER, &self.id), Instant::now() + PATIENCE).await?;
        match Earlier::of(rows.first(), &self.hash)? {
            // This call's own process has kept it already.
            Earlier::Ended(Replay::Refusal(kept)) if kept == refusal => Ok(()),
            Earlier::Ended(replay) => Err(replay.into()),
            Earlier::InProgress | Earlier::Gone => Err(Error::KeyInProgress),
        }
    }
}

impl Store {
    /// Leaves through [`Error::Replay`] when a call has ended before. For a call that has to ask
    /// other services before it can begin its transaction, which asks again.
    pub async fn refuse_repeat<M: Message>(&self, request: &mesh::Request<M>) -> Result<(), Error> {
        let context = request.context();
        let Some(key) = &context.idempotency_key else { return Ok(()) };
        let (id, hash) = self.keep_refusal(context, key, request.get_ref());
        let rows = self.fetch(of(EARLIER, &id), deadline(context)).await?;
        match Earlier::of(rows.first(), &hash)? {
            Earlier::Ended(replay) => Err(replay.into()),
            Earlier::InProgress | Earlier::Gone => Ok(()),
        }
    }

    /// Has a refusal of this call kept under its key, and returns that with the hash of its message.
    fn keep_refusal(
        &self,
        context: &Context,
        key: &Arc<str>,
        message: &impl Message,
    ) -> (KeyId, Vec<u8>) {
        let id = KeyId {
            project: context.caller.project().to_owned(),
            method: Arc::clone(&context.method),
            actor: context.caller.actor().to_owned(),
            key: Arc::clone(key),
        };
        // What tells one request from another: prost writes equal messages as equal bytes.
        let hash = Sha256::digest(message.encode_to_vec()).to_vec();
        let keeper = Keeper { store: self.clone(), id: id.clone(), hash: hash.clone() };
        context.refusal_kept_by(Arc::new(keeper));
        (id, hash)
    }

    /// A transaction that holds the key of its call, once every call before it has ended.
    pub(crate) async fn claim_key(
        &self,
        context: &Context,
        key: &Arc<str>,
        message: &impl Message,
    ) -> Result<Tx, Error> {
        let (id, hash) = self.keep_refusal(context, key, message);
        let deadline = deadline(context);
        let deadline = deadline.checked_sub(MARGIN).unwrap_or(deadline);
        let turn = Turn::take(&self.inner.queue, id.clone(), deadline).await?;
        let mut pause = POLL.0;
        loop {
            let mut answered = std::pin::pin!(self.inner.answered.notified());
            answered.as_mut().enable();
            let mut tx = self.begin_for(context).await?;
            if tx.insert_key(&id, &hash).await? {
                tx.key = Some(Key { id, open: false, answer: None, _turn: turn });
                return Ok(tx);
            }
            match tx.earlier(&id, &hash).await? {
                Earlier::Ended(replay) => return Err(replay.into()),
                Earlier::Gone => continue,
                Earlier::InProgress => drop(tx),
            }
            if Instant::now() >= deadline {
                return Err(Error::KeyInProgress);
            }
            // Woken by an answer of this process; an answer of another is found by asking.
            let _ = timeout_at(deadline.min(Instant::now() + pause), answered).await;
            pause = (pause * 2).min(POLL.1);
        }
    }
}

impl Tx {
    /// Says that a process of several transactions answers this call: the key is committed as in
    /// progress, and a repeat waits until [`Tx::answer_key`]. The process is known by its resource's
    /// id, or by more than that where one resource has several processes. Without a key, nothing happens.
    pub async fn open_key(&mut self, process: &str) -> Result<(), Error> {
        let Some(key) = &mut self.key else { return Ok(()) };
        key.open = true;
        let statement = of(
            "UPDATE store_keys SET process = $5 \
             WHERE project = $1 AND method = $2 AND actor = $3 AND key = $4",
            &key.id,
        );
        self.execute(statement.bind(process)).await.map(|_| ())
    }

    /// Stores the answer of the call that began a process, with this transaction.
    pub async fn answer_key<M: Message>(
        &mut self,
        process: &str,
        message: &M,
    ) -> Result<(), Error> {
        self.pending.answered = true;
        let statement = Statement::new(
            "UPDATE store_keys SET answer = $3 \
             WHERE project = $1 AND process = $2 AND answer IS NULL",
        );
        let project = self.context.caller.project().to_owned();
        let statement = statement.bind(project).bind(process).bind(message.encode_to_vec());
        self.execute(statement).await.map(|_| ())
    }

    /// Stores why the call that began a process was refused, with this transaction: the process came to nothing.
    pub async fn refuse_key(&mut self, process: &str, refusal: &Status) -> Result<(), Error> {
        self.pending.answered = true;
        let statement = Statement::new(
            "UPDATE store_keys SET refusal = $3 \
             WHERE project = $1 AND process = $2 AND answer IS NULL",
        );
        let project = self.context.caller.project().to_owned();
        let statement = statement.bind(project).bind(process).bind(replay::encoded(refusal));
        self.execute(statement).await.map(|_| ())
    }

    /// What writes the answer under the claimed key.
    pub(crate) fn answer_statement(&mut self) -> Result<Option<Statement>, Error> {
        let Some(key) = &mut self.key else { return Ok(None) };
        let Some(answer) = key.answer.take() else {
            return if key.open { Ok(None) } else { Err(Error::Unanswered) };
        };
        self.pending.answered = key.open;
        let statement = of(
            "UPDATE store_keys SET answer = $5 \
             WHERE project = $1 AND method = $2 AND actor = $3 AND key = $4",
            &key.id,
        );
        Ok(Some(statement.bind(answer)))
    }

    /// Whether the key is this transaction's own; another's insert is waited for.
    async fn insert_key(&mut self, id: &KeyId, hash: &[u8]) -> Result<bool, Error> {
        let statement = of(
            "INSERT INTO store_keys (project, method, actor, key, hash, process, create_time) \
             VALUES ($1, $2, $3, $4, $5, '', $6) ON CONFLICT DO NOTHING",
            id,
        );
        let now = self.store.inner.clock.now_micros();
        Ok(self.execute(statement.bind(hash).bind(now)).await? == 1)
    }

    async fn earlier(&mut self, id: &KeyId, hash: &[u8]) -> Result<Earlier, Error> {
        Earlier::of(self.fetch(of(EARLIER, id)).await?.first(), hash)
    }
}

const EARLIER: &str = "SELECT hash, answer, refusal FROM store_keys \
    WHERE project = $1 AND method = $2 AND actor = $3 AND key = $4";

fn of(sql: &'static str, id: &KeyId) -> Statement {
    let KeyId { project, method, actor, key } = id;
    Statement::new(sql).bind(project).bind(&**method).bind(actor).bind(&**key)
}
