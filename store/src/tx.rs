//! A transaction of a service: what changes together, or not at all.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use contract::Resource;
use mesh::context::OpenTransaction;
use mesh::{Context, HasContext};
use prost::Message;
use sqlx::any::AnyRow;
use tokio::time::Instant;
use tonic::Response;

use crate::audit;
use crate::connection::Connection;
use crate::error::Error;
use crate::keys::Key;
use crate::lease::Claim;
use crate::outbox::Outgoing;
use crate::pool::Engine;
use crate::query::{Query, Source};
use crate::statement::{Row, Statement};
use crate::store::Store;
use crate::tasks::NewTask;

/// A transaction. It lives for statements only: no channel is called while one is open, and one that
/// is dropped is rolled back.
pub struct Tx {
    pub(crate) store: Store,
    pub(crate) context: Context,
    pub(crate) connection: Connection,
    /// A statement failed; PostgreSQL would turn the commit into a rollback without a word.
    pub(crate) failed: bool,
    /// Resources as this transaction last knew them.
    pub(crate) known: HashMap<(TypeId, String), Box<dyn Any + Send>>,
    pub(crate) pending: Pending,
    pub(crate) key: Option<Key>,
    /// The event that it is the effect of.
    pub(crate) event: Option<String>,
    open: OpenTransaction,
}

/// What is written or said at the commit.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) audit: Vec<audit::Change>,
    pub(crate) events: Vec<Outgoing>,
    pub(crate) tasks: Vec<NewTask>,
    /// The kinds of resources that changed.
    pub(crate) changed: BTreeSet<&'static str>,
    /// Claims that this transaction makes, renews until a time, or gives up.
    pub(crate) claimed: Vec<Claim>,
    pub(crate) renewed: Vec<(Claim, Instant)>,
    pub(crate) ended: Vec<Claim>,
    /// Whether tasks are due that were there before.
    pub(crate) released: bool,
    /// Whether a process is answered.
    pub(crate) answered: bool,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("store", &self.store)
            .field("method", &self.context.method)
            .finish_non_exhaustive()
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(told) = self.connection.leave_group() {
            self.open.has_read(told);
        }
    }
}

impl HasContext for Tx {
    fn context(&self) -> &Context {
        &self.context
    }
}

impl Tx {
    pub(crate) fn new(store: Store, context: Context, connection: Connection) -> Self {
        let open = context.open_transaction();
        Self {
            store,
            context,
            connection,
            failed: false,
            known: HashMap::new(),
            pending: Pending::default(),
            key: None,
            event: None,
            open,
        }
    }

    /// A query that binds the project as `$1`.
    pub fn query(&mut self, sql: impl Into<Cow<'static, str>>) -> Query<'_> {
        let project = self.context.caller.project().to_owned();
        Query::scoped(Source::Tx(self), &project, sql)
    }

    /// A query over all projects, or over rows that have none.
    pub fn unscoped(&mut self, sql: impl Into<Cow<'static, str>>) -> Query<'_> {
        Query::unscoped(Source::Tx(self), sql)
    }

    /// What a SELECT ends with to hold its rows; SQLite's writer has no other beside it.
    #[must_use]
    pub fn row_lock(&self) -> &'static str {
        match self.connection.engine() {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE",
        }
    }

    /// Answers the call: stores the answer under its idempotency key, and commits everything together.
    pub async fn answer<M>(mut self, message: M) -> Result<Response<M>, Error>
    where
        M: Message + 'static,
    {
        if let Some(key) = &mut self.key {
            key.answer = Some(message.encode_to_vec());
        }
        self.commit().await?;
        Ok(Response::new(message))
    }

    /// Ends it without a change, when all that it has read is kept: a writer may share its transaction with others
    /// that are not yet committed. Answers and calls wait for that by themselves; whoever tells in another way
    /// waits here.
    pub async fn leave(self) -> Result<(), Error> {
        let context = self.context.clone();
        drop(self);
        context.kept().await.map_err(|_| Error::NotCommitted)
    }

    /// Commits everything together, without an answer.
    pub async fn commit(self) -> Result<(), Error> {
        // On a task of its own: a caller that leaves must not leave the outcome open.
        let sealed = tokio::spawn(self.seal()).await;
        sealed.map_err(|_| Error::Ended)?
    }

    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        self.refuse_failed()?;
        let result = self.connection.execute(statement).await;
        self.failed |= result.is_err();
        result
    }

    pub(crate) async fn fetch_raw(&mut self, statement: Statement) -> Result<Vec<AnyRow>, Error> {
        self.refuse_failed()?;
        let result = self.connection.fetch(statement).await;
        self.failed |= result.is_err();
        result
    }

    pub(crate) async fn fetch(&mut self, statement: Statement) -> Result<Vec<Row>, Error> {
        Ok(self.fetch_raw(statement).await?.into_iter().map(Row::new).collect())
    }

    fn refuse_failed(&self) -> Result<(), Error> {
        if self.failed { Err(Error::Ended) } else { Ok(()) }
    }

    pub(crate) fn remember<R: Resource + 'static>(&mut self, resource: &R) {
        let key = (TypeId::of::<R>(), resource.id().to_owned());
        self.known.insert(key, Box::new(resource.clone()));
    }
}
