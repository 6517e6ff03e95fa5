//! Logs, traces and metrics of a process on their way out: set up once, at its start.

mod lines;
mod logs;
mod page;
mod push;
mod resource;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Sampler, SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing::Dispatch;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use self::lines::Lines;
use self::logs::Logs;
use self::push::Push;
pub use self::push::{Unreachable, reach};
use crate::metrics::Metrics;
use crate::trace::Head;

/// How long spans and log events wait for more of them.
const GATHER: Duration = Duration::from_secs(1);
/// How long it may take to send what was gathered, at the end too.
const WITHIN: Duration = Duration::from_secs(5);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What is sent by OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signals {
    /// Spans.
    pub traces: bool,
    /// What is counted, every so often.
    pub metrics: Option<Duration>,
    /// Log events, as filtered for log lines.
    pub logs: bool,
}

impl Signals {
    /// Everything; what is counted every ten seconds.
    pub const ALL: Self = Self { traces: true, metrics: Some(Duration::from_secs(10)), logs: true };
}

/// Where telemetry goes.
#[derive(Debug, Clone)]
pub struct Otlp {
    /// A collector that speaks OTLP over gRPC, such as `http://127.0.0.1:4317`.
    pub address: String,
    /// What is sent there.
    pub signals: Signals,
}

impl Otlp {
    /// Everything to one address.
    #[must_use]
    pub fn all_to(address: impl Into<String>) -> Self {
        Self { address: address.into(), signals: Signals::ALL }
    }
}

/// What is logged and where telemetry goes.
#[derive(Debug, Clone)]
pub struct Config {
    /// Such as `info` or `warn,mesh=debug`.
    pub filter: String,
    /// How log lines look.
    pub format: LogFormat,
    /// Where telemetry goes; without, calls only have trace ids.
    pub otlp: Option<Otlp>,
    /// The share of traces kept, 0 to 1, where the caller has not decided.
    pub sample: f64,
    /// What the process is called, `service.name`.
    pub name: String,
}

/// Telemetry that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter.
    #[error("the log filter is not like `info` or `warn,mesh=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporters of traces and logs.
    #[error("telemetry cannot be sent to the given address")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// That of metrics.
    #[error("telemetry cannot be sent to the given address")]
    Address(#[from] tonic::transport::Error),
    /// The exporters' thread.
    #[error("the thread that sends telemetry cannot be started")]
    Thread(#[from] std::io::Error),
    /// It was set up before.
    #[error("telemetry is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends what is left when it ends.
#[derive(Debug, Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    metrics: Option<Push>,
    /// The exporters drive their connections here: a runtime that waits for its own telemetry can hang.
    runtime: Option<Runtime>,
}

/// Sets telemetry up for the whole process.
pub fn start(config: &Config) -> Result<Telemetry, Error> {
    let (dispatch, telemetry) = layers(config)?;
    dispatch.try_init()?;
    Ok(telemetry)
}

/// The same layers for whoever installs them: in one thread, or under layers of their own.
pub fn layers(config: &Config) -> Result<(Dispatch, Telemetry), Error> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let telemetry = Telemetry::new(config)?;
    let traces = telemetry.traces.as_ref().map(|provider| {
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("tradewind"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // Calls carry their trace as a value; nobody asks OpenTelemetry for the span at hand.
            .with_context_activation(false);
        Head { share: config.sample }.and_then(spans).with_filter(LevelFilter::INFO)
    });
    let logs = telemetry
        .logs
        .as_ref()
        .map(|provider| Logs::new(provider.logger("tradewind")).with_filter(filter.clone()));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Human => lines.event_format(Lines::human()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).map_event_format(Lines::json).boxed(),
    };
    let layers =
        tracing_subscriber::registry().with(traces).with(logs).with(lines.with_filter(filter));
    Ok((layers.into(), telemetry))
}

impl Telemetry {
    fn new(config: &Config) -> Result<Self, Error> {
        let Some(otlp) = &config.otlp else { return Ok(Self::default()) };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("telemetry")
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let resource = resource::of(&config.name);
        let Signals { traces, metrics, logs } = otlp.signals;
        let mut telemetry = Self {
            traces: traces.then(|| tracer(&otlp.address, resource.clone())).transpose()?,
            logs: logs.then(|| logger(&otlp.address, resource.clone())).transpose()?,
            metrics: metrics.map(|every| Push::new(&otlp.address, &resource, every)).transpose()?,
            runtime: None,
        };
        drop(entered);
        telemetry.runtime = Some(runtime);
        Ok(telemetry)
    }

    /// Sends what a mesh counts from now on, where metrics are sent.
    pub fn count(&mut self, metrics: &Arc<Metrics>) {
        if let (Some(push), Some(runtime)) = (&mut self.metrics, &self.runtime) {
            push.start(Arc::clone(metrics), runtime);
        }
    }
}

fn tracer(address: &str, resource: Resource) -> Result<SdkTracerProvider, Error> {
    let exporter =
        SpanExporter::builder().with_tonic().with_endpoint(address).with_timeout(WITHIN).build()?;
    let gathered = opentelemetry_sdk::trace::BatchConfigBuilder::default()
        .with_scheduled_delay(GATHER)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(gathered).build();
    // What a trace is kept for was decided before its first span.
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
    Ok(SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_resource(resource)
        .with_span_processor(processor)
        .build())
}

fn logger(address: &str, resource: Resource) -> Result<SdkLoggerProvider, Error> {
    let exporter =
        LogExporter::builder().with_tonic().with_endpoint(address).with_timeout(WITHIN).build()?;
    let gathered =
        opentelemetry_sdk::logs::BatchConfigBuilder::default().with_scheduled_delay(GATHER).build();
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(gathered).build();
    Ok(SdkLoggerProvider::builder().with_resource(resource).with_log_processor(processor).build())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // Nothing can be done about what cannot be sent at the end.
        if let Some(traces) = self.traces.take() {
            let _ = traces.shutdown_with_timeout(WITHIN);
        }
        if let Some(logs) = self.logs.take() {
            let _ = logs.shutdown_with_timeout(WITHIN);
        }
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(push) = self.metrics.take() {
            push.end();
        }
        runtime.shutdown_background();
    }
}
