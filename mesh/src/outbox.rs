//! Which events services have sent and have still to send, told and decided upon from whichever process is asked.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use contract::mesh::v1::outbox_service_client::OutboxServiceClient;
use contract::mesh::v1::outbox_service_server::OutboxService;
use contract::mesh::v1::{
    DiscardOutboxEventRequest, GetOutboxEventRequest, ListOutboxEventsRequest,
    ListOutboxEventsResponse, OutboxEvent, ReplayOutboxEventsRequest, ReplayOutboxEventsResponse,
    RetryOutboxEventRequest,
};
use tonic::{Request, Response, Status};

use crate::audit::Elsewhere;
use crate::channel::Outgoing;
use crate::context::{Context, HasContext};
use crate::failure::Refusal;

/// The events of a service, on their way to those that consume them.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Those of the caller's project that are asked for, newest first.
    async fn list(
        &self,
        context: &Context,
        asked: &ListOutboxEventsRequest,
    ) -> Result<ListOutboxEventsResponse, Status>;

    /// One, with its data.
    async fn get(
        &self,
        context: &Context,
        asked: &GetOutboxEventRequest,
    ) -> Result<OutboxEvent, Status>;

    /// Tries one at once that was given up, or waits.
    async fn retry(
        &self,
        context: &Context,
        asked: &RetryOutboxEventRequest,
    ) -> Result<OutboxEvent, Status>;

    /// Removes one that was given up.
    async fn discard(
        &self,
        context: &Context,
        asked: &DiscardOutboxEventRequest,
    ) -> Result<OutboxEvent, Status>;

    /// Delivers again what one consumer was delivered since a time, in all projects.
    async fn replay(
        &self,
        context: &Context,
        asked: &ReplayOutboxEventsRequest,
    ) -> Result<ReplayOutboxEventsResponse, Status>;
}

/// The outboxes of one process, by the name of the service.
pub(crate) type OutboxesHere = HashMap<&'static str, Arc<dyn Outbox>>;

/// Answers for the services of this process, and asks the others.
#[derive(Clone)]
pub(crate) struct Outboxes {
    pub(crate) here: Arc<OnceLock<OutboxesHere>>,
    pub(crate) elsewhere: Elsewhere,
}

/// Who knows the outbox of a service.
enum Known {
    Here(Arc<dyn Outbox>),
    Elsewhere(Box<OutboxServiceClient<Outgoing>>),
}

impl Outboxes {
    fn of<M>(&self, service: &str, request: &Request<M>) -> Result<Known, Status> {
        if let Some(outbox) = self.here.get().and_then(|here| here.get(service)) {
            return Ok(Known::Here(Arc::clone(outbox)));
        }
        let peer = (self.elsewhere)(service);
        let peer = peer.ok_or_else(|| Refusal::UnknownService(service.to_owned()))?;
        Ok(Known::Elsewhere(Box::new(OutboxServiceClient::new(peer.of(request)))))
    }
}

#[async_trait]
impl OutboxService for Outboxes {
    async fn list_outbox_events(
        &self,
        request: Request<ListOutboxEventsRequest>,
    ) -> Result<Response<ListOutboxEventsResponse>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(outbox) => {
                Ok(Response::new(outbox.list(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.list_outbox_events(request.into_inner()).await,
        }
    }

    async fn get_outbox_event(
        &self,
        request: Request<GetOutboxEventRequest>,
    ) -> Result<Response<OutboxEvent>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(outbox) => {
                Ok(Response::new(outbox.get(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.get_outbox_event(request.into_inner()).await,
        }
    }

    async fn retry_outbox_event(
        &self,
        request: Request<RetryOutboxEventRequest>,
    ) -> Result<Response<OutboxEvent>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(outbox) => {
                Ok(Response::new(outbox.retry(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.retry_outbox_event(request.into_inner()).await,
        }
    }

    async fn discard_outbox_event(
        &self,
        request: Request<DiscardOutboxEventRequest>,
    ) -> Result<Response<OutboxEvent>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(outbox) => {
                Ok(Response::new(outbox.discard(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.discard_outbox_event(request.into_inner()).await,
        }
    }

    async fn replay_outbox_events(
        &self,
        request: Request<ReplayOutboxEventsRequest>,
    ) -> Result<Response<ReplayOutboxEventsResponse>, Status> {
        match self.of(&request.get_ref().service, &request)? {
            Known::Here(outbox) => {
                Ok(Response::new(outbox.replay(request.context(), request.get_ref()).await?))
            }
            Known::Elsewhere(mut client) => client.replay_outbox_events(request.into_inner()).await,
        }
    }
}
