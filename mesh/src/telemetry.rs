//! Logs and traces of a process: set up once, at its start.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing::Dispatch;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What is logged and where traces go.
#[derive(Debug, Clone)]
pub struct Config {
    /// Such as `info` or `warn,mesh=debug`.
    pub filter: String,
    /// How log lines look.
    pub format: LogFormat,
    /// Where spans go, such as `http://127.0.0.1:4317`; without, they only give trace ids.
    pub otlp: Option<String>,
    /// The share of traces kept, 0 to 1, where the caller has not decided.
    pub sample: f64,
    /// What the process is called in traces.
    pub name: String,
}

/// Telemetry that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter.
    #[error("the log filter is not like `info` or `warn,mesh=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter.
    #[error("spans cannot be sent to the given address")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The exporter's thread.
    #[error("the thread that sends spans cannot be started")]
    Thread(#[from] std::io::Error),
    /// It was set up before.
    #[error("telemetry is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends what is left when it ends.
pub struct Telemetry {
    provider: SdkTracerProvider,
    /// The exporter drives its connection here: a runtime that waits for its own spans can hang.
    runtime: Option<Runtime>,
}

/// Sets logs and traces up for the whole process.
pub fn start(config: &Config) -> Result<Telemetry, Error> {
    let (dispatch, telemetry) = layers(config)?;
    dispatch.try_init()?;
    Ok(telemetry)
}

/// The same layers for whoever installs them: in one thread, or under layers of their own.
pub fn layers(config: &Config) -> Result<(Dispatch, Telemetry), Error> {
    let filter = EnvFilter::try_new(&config.filter)?;
    let telemetry = Telemetry::new(config)?;
    let traces = tracing_opentelemetry::layer()
        .with_tracer(telemetry.provider.tracer("tradewind"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Human => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let layers = tracing_subscriber::registry().with(traces).with(lines.with_filter(filter));
    Ok((layers.into(), telemetry))
}

impl Telemetry {
    fn new(config: &Config) -> Result<Self, Error> {
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample)));
        let mut provider = SdkTracerProvider::builder().with_sampler(sampler).with_resource(
            Resource::builder()
                .with_service_name(config.name.clone())
                .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                .build(),
        );
        let mut runtime = None;
        if let Some(address) = &config.otlp {
            let own = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("telemetry")
                .enable_all()
                .build()?;
            let entered = own.enter();
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(address)
                .with_timeout(Duration::from_secs(5))
                .build()?;
            provider = provider.with_batch_exporter(exporter);
            drop(entered);
            runtime = Some(own);
        }
        Ok(Self { provider: provider.build(), runtime })
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // Nothing can be done about spans that cannot be sent at the end.
        let _ = self.provider.shutdown_with_timeout(Duration::from_secs(5));
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
