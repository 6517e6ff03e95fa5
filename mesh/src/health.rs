//! Health v1, as gRPC specifies it: Check, List and Watch.

use std::collections::BTreeMap;
use std::pin::Pin;

use async_trait::async_trait;
use contract::grpc::health::v1::health_check_response::ServingStatus;
use contract::grpc::health::v1::health_server::Health;
use contract::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status};

use crate::clock::Clock;
use crate::context::Context;
use crate::failure::{DOMAIN, Detail, refuse};

/// Says to services of the mesh of which version a process is, beside how it is.
pub const VERSION: &str = "mesh-version";
/// Says what time it is there, in microseconds since 1970.
pub const TIME: &str = "mesh-time";
/// The most services that List tells of (gRFC A90).
const MOST_LISTED: usize = 100;

#[derive(Debug, Default)]
struct Statuses {
    by_name: BTreeMap<String, ServingStatus>,
    /// What has stopped does not begin again.
    stopped: bool,
}

/// What this process says of its services. Clones say the same.
#[derive(Debug, Clone)]
pub struct HealthState {
    statuses: watch::Sender<Statuses>,
    clock: Clock,
}

impl Default for HealthState {
    fn default() -> Self {
        Self::new(Clock::system())
    }
}

impl HealthState {
    /// A process that takes no calls yet, by whose clock it tells the time.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let by_name = BTreeMap::from([(String::new(), ServingStatus::NotServing)]);
        Self { statuses: watch::Sender::new(Statuses { by_name, stopped: false }), clock }
    }

    /// Says that these services, and the process, take calls.
    pub fn serve<'a>(&self, services: impl IntoIterator<Item = &'a str>) {
        self.say(services.into_iter().chain([""]), ServingStatus::Serving);
    }

    /// Says how something is that services here depend on. The process takes calls all the same: what it can
    /// answer without, it answers, and one that is down must not take others with it.
    pub fn dependency(&self, name: &str, works: bool) {
        let status = if works { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.say([name], status);
    }

    /// Says that nothing takes calls any longer, for good: the first step of a graceful end.
    pub fn stop(&self) {
        self.statuses.send_modify(|statuses| {
            statuses.stopped = true;
            for status in statuses.by_name.values_mut() {
                *status = ServingStatus::NotServing;
            }
        });
    }

    fn say<'a>(&self, names: impl IntoIterator<Item = &'a str>, status: ServingStatus) {
        self.statuses.send_if_modified(|statuses| {
            let mut news = false;
            let status = if statuses.stopped { ServingStatus::NotServing } else { status };
            for name in names {
                news |= statuses.by_name.insert(name.to_owned(), status) != Some(status);
            }
            news
        });
    }

    /// Whether the process takes calls.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serves("") == Some(true)
    }

    /// Whether a service takes calls, or a dependency works; nothing where there is none of that name.
    #[must_use]
    pub fn serves(&self, name: &str) -> Option<bool> {
        Some(*self.statuses.borrow().by_name.get(name)? == ServingStatus::Serving)
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// What a service is, as soon as that is not what was told. After the end has been told there is no more: a
/// watch must not keep the connection of a process that stops.
async fn news(
    statuses: &mut watch::Receiver<Statuses>,
    service: &str,
    told: Option<ServingStatus>,
) -> Option<ServingStatus> {
    loop {
        let stopped = {
            let now = statuses.borrow_and_update();
            let status = now.by_name.get(service).copied();
            let status = status.unwrap_or(ServingStatus::ServiceUnknown);
            if told != Some(status) {
                return Some(status);
            }
            now.stopped
        };
        if stopped {
            return None;
        }
        statuses.changed().await.ok()?;
    }
}

#[async_trait]
impl Health for HealthState {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        // What a process is, is nobody's business but the mesh's.
        let is_told =
            request.extensions().get::<Context>().is_some_and(|it| it.caller.is_service());
        let service = request.into_inner().service;
        let status = self.statuses.borrow().by_name.get(&service).copied();
        let status = status.ok_or_else(|| {
            let message = format!("there is no service `{service}` here");
            refuse(Code::NotFound, DOMAIN, "UNKNOWN_SERVICE", &message, Detail::default())
        })?;
        let mut response = Response::new(response(status));
        if is_told {
            let said = response.metadata_mut();
            said.insert(VERSION, MetadataValue::from_static(env!("CARGO_PKG_VERSION")));
            said.insert(TIME, MetadataValue::from(self.clock.now_micros()));
        }
        Ok(response)
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let statuses = self.statuses.borrow();
        if statuses.by_name.len() > MOST_LISTED {
            let told = format!("there are more than {MOST_LISTED} services here; ask for each");
            let (code, reason) = (Code::ResourceExhausted, "TOO_MANY_SERVICES");
            return Err(refuse(code, DOMAIN, reason, &told, Detail::default()));
        }
        let statuses = statuses
            .by_name
            .iter()
            .map(|(name, status)| (name.clone(), response(*status)))
            .collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let watched = (self.statuses.subscribe(), None);
        let changes = stream::unfold(watched, move |(mut statuses, told)| {
            let service = service.clone();
            async move {
                let news = news(&mut statuses, &service, told).await?;
                Some((Ok(response(news)), (statuses, Some(news))))
            }
        });
        Ok(Response::new(changes.boxed()))
    }
}
