//! Events over the mesh itself: the bus that needs nothing else installed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use contract::mesh::v1::events_service_client::EventsServiceClient;
use contract::mesh::v1::events_service_server::EventsService;
use contract::mesh::v1::{DeliverRequest, Event};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use crate::bus::Bus;
use crate::caller::Caller;
use crate::channel::Peer;
use crate::context::{Context, HasContext};
use crate::failure::Refusal;
use crate::service::Consumers;
use crate::trace::{Recording, Trace};

/// Which services consume which events.
pub type Subscriptions = HashMap<String, Vec<&'static str>>;

/// Delivers by calling the consuming service, near or far.
pub(crate) struct MeshBus {
    pub(crate) subscriptions: Subscriptions,
    /// Nobody, once the mesh is gone.
    pub(crate) peer: Box<dyn Fn(&'static str) -> Option<Peer> + Send + Sync>,
}

#[async_trait]
impl Bus for MeshBus {
    fn consumers(&self, event_type: &str) -> Vec<&'static str> {
        self.subscriptions.get(event_type).cloned().unwrap_or_default()
    }

    async fn deliver(
        &self,
        context: &Context,
        consumer: &'static str,
        events: Vec<Event>,
    ) -> Result<(), Status> {
        let peer = (self.peer)(consumer).ok_or(Refusal::Unavailable(consumer))?;
        let outgoing = peer.of(context);
        let request = DeliverRequest { consumer: consumer.to_owned(), events };
        EventsServiceClient::new(outgoing).deliver(request).await?;
        Ok(())
    }
}

/// Where events come in for the services of a process: by calls of the mesh, and by any bus that reads them
/// from elsewhere. Clones are one.
#[derive(Clone, Default)]
pub struct Intake {
    pub(crate) consumers: Arc<OnceLock<Consumers>>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("consumers", &self.consumers()).finish()
    }
}

impl Intake {
    /// An intake for these consumers, by the names of their services.
    #[must_use]
    pub fn of(consumers: Consumers) -> Self {
        Self { consumers: Arc::new(OnceLock::from(consumers)) }
    }

    /// The services here that consume events; none before they run.
    #[must_use]
    pub fn consumers(&self) -> Vec<&'static str> {
        let mut names: Vec<_> =
            self.consumers.get().into_iter().flatten().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    /// Hands events to one consumer, in order, until one is refused.
    ///
    /// `delivery` is where their delivery is in its trace.
    pub async fn take(
        &self,
        consumer: &str,
        events: &[Event],
        deadline: Option<Instant>,
        delivery: Trace,
    ) -> Result<(), Status> {
        let found = self.consumers.get().and_then(|consumers| consumers.get_key_value(consumer));
        let (name, consumer) = found.ok_or_else(|| Refusal::NoConsumer(consumer.to_owned()))?;
        for event in events {
            let writer = Trace::read(&event.traceparent).unwrap_or(Trace::NONE);
            // It is in the trace of what happened, below its delivery where that is in it too.
            let parent = if delivery.is_with(&writer) { delivery } else { writer };
            let span = Recording::continued("consume", &event.r#type, parent);
            let subject = (!event.subject.is_empty()).then(|| event.subject.as_str().into());
            let caller = Caller::service(*name, event.project.as_str(), subject);
            let mut context = Context::new(caller, event.r#type.as_str(), &span);
            context.deadline = deadline;
            let consumed = span.follow(consumer.consume(&context, event)).await;
            context.kept().await?;
            span.status(consumed.as_ref().err().map_or(Code::Ok, Status::code));
            consumed?;
        }
        Ok(())
    }
}

#[async_trait]
impl EventsService for Intake {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<()>, Status> {
        let (deadline, delivery) = (request.context().deadline, request.context().trace);
        let DeliverRequest { consumer, events } = request.into_inner();
        self.take(&consumer, &events, deadline, delivery).await?;
        Ok(Response::new(()))
    }
}
