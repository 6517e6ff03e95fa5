//! What a call carries besides its message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::Status;

use crate::caller::{Caller, DEFAULT_PROJECT};
use crate::failure::Refusal;
use crate::replay::{KeepsRefusal, is_refusal};
use crate::trace::Trace;

/// Who asks, until when, in which trace. A value that handlers pass on; there are no task-locals.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks.
    pub caller: Caller,
    /// When the answer is no longer wanted.
    pub deadline: Option<Instant>,
    /// Where the call or the task is in its trace; outgoing calls are its children.
    pub trace: Trace,
    /// The full path of the RPC, such as `/tradewind.orders.v1.OrdersService/PlaceOrder`, or the task's kind.
    pub method: Arc<str>,
    /// What makes a repeat of this call the same call.
    pub idempotency_key: Option<Arc<str>>,
    /// The caller's own bearer token, sent on when this call calls others for the same caller.
    pub(crate) credential: Option<Arc<str>>,
    /// The network address that the call came from.
    pub(crate) address: Option<Arc<str>>,
    transactions: Arc<Transactions>,
}

impl Context {
    /// The context of work that no request asked for: a task, a schedule, a consumer.
    #[must_use]
    pub fn new(caller: Caller, method: impl Into<Arc<str>>, trace: impl Into<Trace>) -> Self {
        Self {
            caller,
            deadline: None,
            trace: trace.into(),
            method: method.into(),
            idempotency_key: None,
            credential: None,
            address: None,
            transactions: Arc::default(),
        }
    }

    /// The same work, until a deadline.
    #[must_use]
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |own| own.min(deadline)));
        self
    }

    /// The same work as a service: what a process does in a customer's request, it does as itself.
    #[must_use]
    pub fn as_service(&self, name: &'static str) -> Self {
        let subject = self.caller.subject().map(Arc::from);
        Self {
            caller: Caller::service(name, self.caller.project(), subject),
            credential: None,
            ..self.clone()
        }
    }

    /// The network address that the call came from, where it came from one.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Counts a transaction as open until the guard is dropped; no channel is called meanwhile.
    #[must_use]
    pub fn open_transaction(&self) -> OpenTransaction {
        self.transactions.open.fetch_add(1, Ordering::Relaxed);
        OpenTransaction { transactions: Arc::clone(&self.transactions) }
    }

    /// Whether a transaction of this work is open.
    #[must_use]
    pub fn has_open_transaction(&self) -> bool {
        self.transactions.open.load(Ordering::Relaxed) > 0
    }

    /// Returns when all that transactions of this work have read is kept; fails when some of it is not. Calls to
    /// others and answers wait for it by themselves.
    pub async fn kept(&self) -> Result<(), Status> {
        for told in self.transactions.take_unkept() {
            told.await.map_err(|_| Refusal::NotKept)?;
        }
        Ok(())
    }

    /// Says who keeps a refusal of this call, under its idempotency key; whoever says it first does.
    pub fn refusal_kept_by(&self, keeper: Arc<dyn KeepsRefusal>) {
        let _ = self.transactions.keeper.set(keeper);
    }

    /// What a call that failed in its handler ends with: a refusal is kept under its key before it is told.
    pub async fn refused(&self, status: Status) -> Status {
        match self.transactions.keeper.get() {
            Some(keeper) if is_refusal(status.code()) => keeper.keep(status).await,
            _ => status,
        }
    }

    /// Whether there is nothing to wait for.
    pub(crate) fn is_kept(&self) -> bool {
        self.transactions.unkept().is_empty()
    }
}

/// The transactions of some work, and what is kept besides them.
#[derive(Debug, Default)]
struct Transactions {
    open: AtomicUsize,
    /// Who keeps it when the call is refused.
    keeper: OnceLock<Arc<dyn KeepsRefusal>>,
    /// Each tells that what a transaction has read is kept, or is dropped when it is not.
    unkept: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl Transactions {
    fn unkept(&self) -> MutexGuard<'_, Vec<oneshot::Receiver<()>>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_unkept(&self) -> Vec<oneshot::Receiver<()>> {
        std::mem::take(&mut *self.unkept())
    }
}

/// A transaction that a context counts as open.
#[derive(Debug)]
pub struct OpenTransaction {
    transactions: Arc<Transactions>,
}

impl OpenTransaction {
    /// Says that the transaction has read what is not kept yet, and who tells when it is.
    pub fn has_read(&self, unkept: oneshot::Receiver<()>) {
        self.transactions.unkept().push(unkept);
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        self.transactions.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a context comes from: a request that passed the layers, or a task.
pub trait HasContext {
    /// Who asks, until when, in which trace.
    fn context(&self) -> &Context;
}

impl HasContext for Context {
    fn context(&self) -> &Context {
        self
    }
}

impl<T> HasContext for tonic::Request<T> {
    /// The layers put it there; a request that passed none is nobody's.
    fn context(&self) -> &Context {
        static NOBODY: LazyLock<Context> =
            LazyLock::new(|| Context::new(Caller::nobody(DEFAULT_PROJECT), "", Trace::NONE));
        self.extensions().get::<Context>().unwrap_or(&NOBODY)
    }
}
