//! A collector of traces: what OTLP sends arrives here, over gRPC, as anywhere else.

use std::sync::{Arc, Mutex};

use mesh::serve::{Config, Drain, Ended};
use mesh::telemetry::{self, LogFormat, Telemetry};
use mesh::{CancellationToken, Request, Response, Status, async_trait};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::dispatcher::DefaultGuard;

/// What telemetry of this thread sends, while it stands.
pub(crate) struct Receiver {
    spans: Arc<Mutex<Vec<Span>>>,
    telemetry: Telemetry,
    /// Spans of this thread are the telemetry's until it is dropped.
    here: DefaultGuard,
    stop: CancellationToken,
    ended: JoinHandle<Ended>,
}

#[derive(Clone)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
}

#[async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        self.spans.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    /// Sends the spans of this thread here, so many of the traces that begin here.
    pub(crate) async fn start(sample: f64) -> Self {
        let spans = Arc::<Mutex<Vec<Span>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = TraceServiceServer::new(Collector { spans: Arc::clone(&spans) });
        let stop = CancellationToken::new();
        let config = Config::mesh().ending(Drain::at_once());
        let serving = mesh::serve::http(listener, collector, config, stop.clone());
        let ended = tokio::spawn(serving);
        let config = telemetry::Config {
            filter: "off".into(),
            format: LogFormat::Json,
            otlp: Some(format!("http://{address}")),
            sample,
            name: "test".into(),
        };
        let (dispatch, telemetry) = telemetry::layers(&config).unwrap();
        let here = tracing::dispatcher::set_default(&dispatch);
        Self { spans, telemetry, here, stop, ended }
    }

    /// Everything that was sent.
    pub(crate) async fn end(self) -> Vec<Span> {
        drop(self.here);
        // What is left is sent when telemetry ends, and it waits for that.
        tokio::task::spawn_blocking(move || drop(self.telemetry)).await.unwrap();
        self.stop.cancel();
        self.ended.await.unwrap();
        std::mem::take(&mut *self.spans.lock().unwrap())
    }
}

/// A span's attribute, as text.
pub(crate) fn attribute(span: &Span, key: &str) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

/// Bytes of an id in hexadecimal.
pub(crate) fn hex(id: &[u8]) -> String {
    use std::fmt::Write;
    id.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
