//! What is counted, sent to a collector every so often.
//!
//! The registry of the metrics page is the one place where things are counted: what is sent is read from it, so
//! that a record costs what it costs for the page alone.

use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval_at, timeout};
use tonic::transport::{Channel, Endpoint};

use super::{WITHIN, page};
use crate::metrics::Metrics;

/// Where what is counted goes.
#[derive(Debug)]
pub(super) struct Push {
    collector: Collector,
    every: Duration,
    running: Vec<Running>,
}

/// The task that sends the metrics of one mesh.
#[derive(Debug)]
struct Running {
    /// Dropped, it is time to end.
    stop: oneshot::Sender<()>,
    /// Closed when it has ended.
    ended: mpsc::Receiver<()>,
}

impl Push {
    pub(super) fn new(
        address: &str,
        resource: &opentelemetry_sdk::Resource,
        every: Duration,
    ) -> Result<Self, tonic::transport::Error> {
        let channel = Endpoint::from_shared(address.to_owned())?.timeout(WITHIN).connect_lazy();
        let ResourceAttributesWithSchema { attributes, .. } = resource.into();
        let resource = Resource { attributes: attributes.0, ..Resource::default() };
        let collector = Collector { channel, resource, begun: now() };
        Ok(Self { collector, every, running: Vec::new() })
    }

    pub(super) fn start(&mut self, metrics: Arc<Metrics>, runtime: &Runtime) {
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = mpsc::channel();
        let (collector, every) = (self.collector.clone(), self.every);
        runtime.spawn(async move {
            collector.follow(&metrics, every, stopped).await;
            drop(ending);
        });
        self.running.push(Running { stop, ended });
    }

    /// Sends what is counted at the end, and waits for that.
    pub(super) fn end(self) {
        for Running { stop, ended } in self.running {
            drop(stop);
            // Nothing is ever said; it waits until nothing can be.
            let _ = ended.recv_timeout(WITHIN);
        }
    }
}

#[derive(Debug, Clone)]
struct Collector {
    channel: Channel,
    resource: Resource,
    /// Since when things are counted, in nanoseconds of Unix time.
    begun: u64,
}

impl Collector {
    async fn follow(&self, metrics: &Metrics, every: Duration, mut stopped: oneshot::Receiver<()>) {
        let mut due = interval_at(Instant::now() + every, every);
        loop {
            let is_last = tokio::select! {
                _ = due.tick() => false,
                _ = &mut stopped => true,
            };
            match timeout(WITHIN, self.send(metrics)).await {
                Ok(Ok(())) => {}
                Ok(Err(status)) => {
                    tracing::debug!(code = ?status.code(), "metrics were not taken");
                }
                Err(_) => tracing::debug!("metrics were not taken in time"),
            }
            if is_last {
                return;
            }
        }
    }

    async fn send(&self, metrics: &Metrics) -> Result<(), tonic::Status> {
        let scope = InstrumentationScope {
            name: "tradewind".to_owned(),
            ..InstrumentationScope::default()
        };
        let metrics = ScopeMetrics {
            scope: Some(scope),
            metrics: page::read(&metrics.page(), self.begun, now()),
            ..ScopeMetrics::default()
        };
        let resource = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![metrics],
            ..ResourceMetrics::default()
        };
        let request = ExportMetricsServiceRequest { resource_metrics: vec![resource] };
        MetricsServiceClient::new(self.channel.clone()).export(request).await?;
        Ok(())
    }
}

/// A collector that takes nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// Its address.
    #[error("it is no address of a collector, such as http://127.0.0.1:4317")]
    Address(#[source] tonic::transport::Error),
    /// It is not there, or is something else.
    #[error("no collector answers there")]
    Silent(#[source] Box<tonic::Status>),
    /// It is slow.
    #[error("no collector answers there within {0:?}")]
    Late(Duration),
}

/// Sends a collector no spans at all, to know whether it would take some.
pub async fn reach(address: &str) -> Result<(), Unreachable> {
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(Unreachable::Address)?;
    let mut spans = TraceServiceClient::new(endpoint.timeout(WITHIN).connect_lazy());
    let sent = timeout(WITHIN, spans.export(ExportTraceServiceRequest::default()));
    match sent.await.map_err(|_| Unreachable::Late(WITHIN))? {
        Ok(_) => Ok(()),
        Err(status) => Err(Unreachable::Silent(Box::new(status))),
    }
}

/// Nanoseconds of Unix time.
#[expect(clippy::disallowed_methods, reason = "what is counted is of the time at which it is read")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
