//! What a call carries besides its message.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use crate::caller::{Caller, DEFAULT_PROJECT};
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
    open_transactions: Arc<AtomicUsize>,
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
            open_transactions: Arc::default(),
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
        self.open_transactions.fetch_add(1, Ordering::Relaxed);
        OpenTransaction { open: Arc::clone(&self.open_transactions) }
    }

    pub(crate) fn has_open_transaction(&self) -> bool {
        self.open_transactions.load(Ordering::Relaxed) > 0
    }
}

/// A transaction that a context counts as open.
#[derive(Debug)]
pub struct OpenTransaction {
    open: Arc<AtomicUsize>,
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
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
