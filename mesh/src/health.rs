//! Health v1, as gRPC specifies it: Check, List and Watch.

use std::collections::BTreeMap;
use std::pin::Pin;

use async_trait::async_trait;
use contract::grpc::health::v1::health_check_response::ServingStatus;
use contract::grpc::health::v1::health_server::Health;
use contract::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use crate::failure::{DOMAIN, Detail, Refusal, refuse};

type Statuses = BTreeMap<String, ServingStatus>;

/// What this process says of its services. Clones say the same.
#[derive(Debug, Clone)]
pub struct HealthState {
    statuses: watch::Sender<Statuses>,
    /// Whoever watches would keep a connection open for ever.
    ended: CancellationToken,
}

impl Default for HealthState {
    fn default() -> Self {
        let statuses = BTreeMap::from([(String::new(), ServingStatus::NotServing)]);
        Self { statuses: watch::Sender::new(statuses), ended: CancellationToken::new() }
    }
}

impl HealthState {
    /// Says that these services, and the process, take calls.
    pub fn serve<'a>(&self, services: impl IntoIterator<Item = &'a str>) {
        let services: Vec<_> = services.into_iter().chain([""]).map(str::to_owned).collect();
        self.statuses.send_modify(|statuses| {
            statuses.extend(services.into_iter().map(|name| (name, ServingStatus::Serving)));
        });
    }

    /// Says that nothing takes calls any longer: the first step of a graceful end.
    pub fn stop(&self) {
        self.statuses.send_modify(|statuses| {
            for status in statuses.values_mut() {
                *status = ServingStatus::NotServing;
            }
        });
    }

    /// Says nothing more to those who watch: connections are about to be closed.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }

    /// Whether the process takes calls.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.statuses.borrow().get("") == Some(&ServingStatus::Serving)
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[async_trait]
impl Health for HealthState {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let status = self.statuses.borrow().get(&service).copied();
        status.map(|status| Response::new(response(status))).ok_or_else(|| {
            let message = format!("there is no service `{service}` here");
            refuse(Code::NotFound, DOMAIN, "UNKNOWN_SERVICE", &message, Detail::default())
        })
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let statuses = self.statuses.borrow();
        let statuses = statuses.iter().take(100);
        let statuses = statuses.map(|(name, status)| (name.clone(), response(*status))).collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let mut told = None;
        let changes = WatchStream::new(self.statuses.subscribe()).filter_map(move |statuses| {
            let status = statuses.get(&service).copied().unwrap_or(ServingStatus::ServiceUnknown);
            let news = (told != Some(status)).then(|| Ok(response(status)));
            told = Some(status);
            std::future::ready(news)
        });
        let ended = self.ended.clone().cancelled_owned();
        let last = std::future::ready(Err(Refusal::Draining.into()));
        Ok(Response::new(changes.take_until(ended).chain(last.into_stream()).boxed()))
    }
}
