//! A collector of telemetry: what OTLP sends arrives here, over gRPC, as anywhere else.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
pub use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub use opentelemetry_proto::tonic::logs::v1::LogRecord;
pub use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
pub use opentelemetry_proto::tonic::trace::v1::{Span, span, status};
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, async_trait};

/// What a metric is made of.
pub mod metrics {
    pub use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    pub use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
}

/// How long telemetry may take to come, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that a process said, with what it says it is.
#[derive(Debug, Clone)]
pub struct From<T> {
    /// Attributes of the process.
    pub resource: Arc<[KeyValue]>,
    /// What it said.
    pub said: T,
}

impl<T> From<T> {
    /// What the process is called, `service.name`.
    #[must_use]
    pub fn service(&self) -> String {
        text(&self.resource, "service.name")
    }
}

#[derive(Debug, Default)]
struct Kept {
    spans: Mutex<Vec<From<Span>>>,
    metrics: Mutex<Vec<From<Metric>>>,
    logs: Mutex<Vec<From<LogRecord>>>,
    news: Notify,
}

/// A collector, until it is dropped. It runs on a thread of its own, whose time is nobody's.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Kept>,
    _stop: DropGuard,
}

impl Collector {
    /// Takes telemetry at an address of its own from now on.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (kept, stop) = (Arc::<Kept>::default(), CancellationToken::new());
        let taker = Taker(Arc::clone(&kept));
        let served = stop.clone();
        std::thread::Builder::new().name("collector".to_owned()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let serving = tonic::transport::Server::builder()
                    .add_service(TraceServiceServer::new(taker.clone()))
                    .add_service(MetricsServiceServer::new(taker.clone()))
                    .add_service(LogsServiceServer::new(taker))
                    .serve_with_incoming(TcpListenerStream::new(listener));
                // Whoever misses what it should have taken says so.
                let _ = served.run_until_cancelled(serving).await;
            });
        })?;
        Ok(Self { address, kept, _stop: stop.drop_guard() })
    }

    /// Where to send.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans that have come.
    #[must_use]
    pub fn spans(&self) -> Vec<From<Span>> {
        lock(&self.kept.spans).clone()
    }

    /// The metrics that have come, as often as they have.
    #[must_use]
    pub fn metrics(&self) -> Vec<From<Metric>> {
        lock(&self.kept.metrics).clone()
    }

    /// The log events that have come.
    #[must_use]
    pub fn logs(&self) -> Vec<From<LogRecord>> {
        lock(&self.kept.logs).clone()
    }

    /// Waits until what has come is enough; nothing when that takes too long.
    pub async fn until<T>(&self, mut enough: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let waited = async {
            loop {
                let news = self.kept.news.notified();
                if let Some(found) = enough(self) {
                    return found;
                }
                news.await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.ok()
    }
}

#[derive(Clone)]
struct Taker(Arc<Kept>);

impl Taker {
    fn keep<T>(
        &self,
        kept: &Mutex<Vec<From<T>>>,
        resource: Option<Resource>,
        said: impl Iterator<Item = T>,
    ) {
        let resource: Arc<[KeyValue]> = resource.unwrap_or_default().attributes.into();
        lock(kept).extend(said.map(|said| From { resource: Arc::clone(&resource), said }));
        self.0.news.notify_waiters();
    }
}

#[async_trait]
impl TraceService for Taker {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for told in request.into_inner().resource_spans {
            let spans = told.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.keep(&self.0.spans, told.resource, spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[async_trait]
impl MetricsService for Taker {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for told in request.into_inner().resource_metrics {
            let metrics = told.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            self.keep(&self.0.metrics, told.resource, metrics);
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[async_trait]
impl LogsService for Taker {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        for told in request.into_inner().resource_logs {
            let logs = told.scope_logs.into_iter().flat_map(|scope| scope.log_records);
            self.keep(&self.0.logs, told.resource, logs);
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

fn lock<T>(kept: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An attribute as text; empty where there is none.
#[must_use]
pub fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// Bytes of an id in hexadecimal.
#[must_use]
pub fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
