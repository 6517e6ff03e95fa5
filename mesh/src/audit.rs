//! Who changed what, in any service of the mesh, from whichever process is asked.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use contract::mesh::v1::audit_service_client::AuditServiceClient;
use contract::mesh::v1::audit_service_server::AuditService;
use contract::mesh::v1::{
    ListAuditRecordsRequest, ListAuditRecordsResponse, ListWaitingRequest, ListWaitingResponse,
};
use tonic::{Request, Response, Status};

use crate::channel::Peer;
use crate::context::{Context, HasContext};
use crate::failure::Refusal;

/// What a service has written down of its own writes.
#[async_trait]
pub trait Auditor: Send + Sync + 'static {
    /// The records of the caller's project that are asked for, newest first.
    async fn records(
        &self,
        context: &Context,
        asked: &ListAuditRecordsRequest,
    ) -> Result<ListAuditRecordsResponse, Status>;

    /// What the service has still to do in the caller's project.
    async fn waiting(
        &self,
        context: &Context,
        asked: &ListWaitingRequest,
    ) -> Result<ListWaitingResponse, Status>;
}

/// The auditors of one process, by the name of their service.
pub(crate) type Auditors = HashMap<&'static str, Arc<dyn Auditor>>;

/// The way to a service that runs elsewhere.
pub(crate) type Elsewhere = Arc<dyn Fn(&str) -> Option<Peer> + Send + Sync>;

/// Answers for the services of this process, and asks the others.
#[derive(Clone)]
pub(crate) struct Audits {
    pub(crate) here: Arc<OnceLock<Auditors>>,
    pub(crate) elsewhere: Elsewhere,
}

#[async_trait]
impl AuditService for Audits {
    async fn list_audit_records(
        &self,
        request: Request<ListAuditRecordsRequest>,
    ) -> Result<Response<ListAuditRecordsResponse>, Status> {
        let service = request.get_ref().service.as_str();
        if let Some(auditor) = self.here.get().and_then(|auditors| auditors.get(service)) {
            let records = auditor.records(request.context(), request.get_ref()).await?;
            return Ok(Response::new(records));
        }
        let peer = (self.elsewhere)(service);
        let peer = peer.ok_or_else(|| Refusal::UnknownService(service.to_owned()))?;
        let outgoing = peer.of(&request);
        AuditServiceClient::new(outgoing).list_audit_records(request.into_inner()).await
    }

    async fn list_waiting(
        &self,
        request: Request<ListWaitingRequest>,
    ) -> Result<Response<ListWaitingResponse>, Status> {
        let service = request.get_ref().service.as_str();
        if let Some(auditor) = self.here.get().and_then(|auditors| auditors.get(service)) {
            let waiting = auditor.waiting(request.context(), request.get_ref()).await?;
            return Ok(Response::new(waiting));
        }
        let peer = (self.elsewhere)(service);
        let peer = peer.ok_or_else(|| Refusal::UnknownService(service.to_owned()))?;
        let outgoing = peer.of(&request);
        AuditServiceClient::new(outgoing).list_waiting(request.into_inner()).await
    }
}
