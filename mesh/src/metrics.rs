//! Counts and times of calls, with the names and buckets of gRPC (gRFC A66, A94 and A96), as a Prometheus page.
//!
//! What is counted by labels is looked up once and kept, never once a call.

mod caches;
mod client;
mod endpoints;
mod exemplars;
mod names;
mod server;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use tonic::Code;

pub(crate) use self::caches::CacheMetrics;
pub(crate) use self::client::{Again, Channel, Of};
pub(crate) use self::endpoints::{Endpoint, Fleet, Subchannels};
use self::exemplars::Times;
pub(crate) use self::names::NAMES;
use self::names::Name;
pub(crate) use self::server::{CallMetrics, CallTimer};

/// How many codes there are.
const CODES: usize = 17;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByMethod {
    grpc_method: String,
}

#[derive(Debug, Clone)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl MetricConstructor<Times> for Buckets {
    fn new_metric(&self) -> Times {
        Times::new(self.0.iter().copied())
    }
}

type Histograms<L, M = Histogram> = Family<L, M, Buckets>;

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    server: server::Server,
    client: Arc<client::Client>,
    caches: caches::Caches,
    subchannels: endpoints::Families,
    fleets: endpoints::Fleets,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let server = server::Server::register(&mut registry);
        let client = Arc::new(client::Client::register(&mut registry));
        let caches = caches::Caches::register(&mut registry);
        let subchannels = endpoints::Families::register(&mut registry);
        let fleets = endpoints::Fleets::register(&mut registry);
        Self { registry: Mutex::new(registry), server, client, caches, subchannels, fleets }
    }
}

impl Metrics {
    /// Adds what a service counts itself.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The page that Prometheus reads, in the OpenMetrics text format.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match encode(&mut page, &registry) {
            Ok(()) => page,
            Err(error) => format!("# the metrics cannot be written: {error}\n"),
        }
    }

    /// What calls on a channel are counted by.
    pub(crate) fn channel(&self, target: &str, methods: usize) -> Channel {
        Channel::new(Arc::clone(&self.client), target, methods)
    }

    /// What connections to the endpoints behind a target are counted by.
    pub(crate) fn subchannels(&self, target: &str) -> Subchannels {
        self.subchannels.of(target)
    }

    /// Shows the endpoints behind a target for as long as they are there.
    pub(crate) fn show(&self, target: &str, fleet: std::sync::Weak<dyn Fleet>) {
        self.fleets.add(target, fleet);
    }
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: Name, metric: &M) {
    registry.register(name.page, name.help, metric.clone());
}

fn histograms<L, M>(
    registry: &mut Registry,
    name: Name,
    buckets: &'static [f64],
) -> Histograms<L, M>
where
    Buckets: MetricConstructor<M>,
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static,
    M: Metric + TypedMetric,
{
    let histograms = Family::new_with_constructor(Buckets(buckets));
    register(registry, name, &histograms);
    histograms
}

/// The method as gRPC's metrics have it: without the leading slash.
fn name(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// What RPCs are counted as that are in no contract: callers must not be able to make names.
const OTHER: &str = "other";

/// Where a code is counted.
fn slot(code: Code) -> usize {
    usize::try_from(code as i32).unwrap_or_default().min(CODES - 1)
}

/// Bytes, as histograms take them.
#[expect(clippy::cast_precision_loss, reason = "a histogram of sizes is not exact to the byte")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

/// The canonical name of a code, such as `NOT_FOUND`.
#[must_use]
pub fn status_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
