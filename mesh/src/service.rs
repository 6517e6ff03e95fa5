//! A service as the mesh is handed it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tower::Service as TowerService;

use crate::audit::Auditor;
use crate::bus::Consumer;
use crate::outbox::Outbox;
use crate::tasks::Tasks;

/// Work that a service does besides answering; it ends when the token is cancelled.
type Background = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// What a service crate hands over: the contracts that it answers, the events that it consumes, its work.
pub struct Service {
    pub(crate) name: &'static str,
    pub(crate) contracts: Vec<&'static str>,
    pub(crate) routes: RoutesBuilder,
    pub(crate) consumer: Option<Arc<dyn Consumer>>,
    pub(crate) auditor: Option<Arc<dyn Auditor>>,
    pub(crate) tasks: Option<Arc<dyn Tasks>>,
    pub(crate) outbox: Option<Arc<dyn Outbox>>,
    pub(crate) background: Vec<Background>,
}

impl Service {
    /// A service by its noun, such as `orders`.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            contracts: Vec::new(),
            routes: RoutesBuilder::default(),
            consumer: None,
            auditor: None,
            tasks: None,
            outbox: None,
            background: Vec::new(),
        }
    }

    /// Answers a contract, by its generated server.
    #[must_use]
    pub fn answer<S>(mut self, server: S) -> Self
    where
        S: TowerService<
                Request<Body>,
                Response = Response<Body>,
                Error = std::convert::Infallible,
                Future: Send + 'static,
            > + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.contracts.push(S::NAME);
        self.routes.add_service(server);
        self
    }

    /// Consumes events.
    #[must_use]
    pub fn consume(mut self, consumer: impl Consumer) -> Self {
        self.consumer = Some(Arc::new(consumer));
        self
    }

    /// Tells who changed what in it.
    #[must_use]
    pub fn audited_by(mut self, auditor: impl Auditor) -> Self {
        self.auditor = Some(Arc::new(auditor));
        self
    }

    /// Tells what it has still to do.
    #[must_use]
    pub fn tasks_of(mut self, tasks: impl Tasks) -> Self {
        self.tasks = Some(Arc::new(tasks));
        self
    }

    /// Tells which events it has sent, and has still to send.
    #[must_use]
    pub fn outbox_of(mut self, outbox: impl Outbox) -> Self {
        self.outbox = Some(Arc::new(outbox));
        self
    }

    /// Does work besides answering, until the token is cancelled.
    #[must_use]
    pub fn work<F>(mut self, work: impl FnOnce(CancellationToken) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.background.push(Box::new(move |stop| work(stop).boxed()));
        self
    }

    /// The same service without its work: it answers, and nothing else happens.
    #[must_use]
    pub fn at_rest(mut self) -> Self {
        self.background.clear();
        self
    }

    /// Its noun.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// The consumers of one process, by the name of their service.
pub type Consumers = HashMap<&'static str, Arc<dyn Consumer>>;
