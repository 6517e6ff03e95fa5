//! Counts and times of calls, with the names and buckets of gRPC (gRFC A66), as a Prometheus page.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tonic::Code;

use crate::policy::Method;

/// Latency buckets of gRFC A66 in seconds, less those that no call of ours can fall into.
const BUCKETS: [f64; 24] = [
    0.000_01, 0.000_05, 0.000_1, 0.000_3, 0.000_6, 0.000_8, 0.001, 0.002, 0.003, 0.005, 0.008,
    0.013, 0.02, 0.03, 0.05, 0.08, 0.13, 0.25, 0.5, 1.0, 2.0, 5.0, 20.0, 100.0,
];

/// A caller who leaves this short before the deadline leaves because of it.
const LATE: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByMethod {
    grpc_method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    grpc_method: String,
    grpc_status: String,
}

#[derive(Debug, Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: std::sync::Mutex<Registry>,
    started: Family<ByMethod, Counter>,
    duration: Family<ByOutcome, Histogram, Buckets>,
    in_flight: Gauge<i64, AtomicI64>,
    cache_hits: Family<ByMethod, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let started = Family::<ByMethod, Counter>::default();
        let duration = Family::new_with_constructor(Buckets);
        let in_flight = Gauge::<i64, AtomicI64>::default();
        let cache_hits = Family::<ByMethod, Counter>::default();
        registry.register("grpc_server_call_started", "Calls that arrived", started.clone());
        registry.register(
            "grpc_server_call_duration_seconds",
            "Time from a call's arrival to the end of its answer",
            duration.clone(),
        );
        registry.register("grpc_server_calls_in_flight", "Calls being answered", in_flight.clone());
        registry.register(
            "mesh_response_cache_hits",
            "Calls answered with a kept answer",
            cache_hits.clone(),
        );
        Self { registry: std::sync::Mutex::new(registry), started, duration, in_flight, cache_hits }
    }
}

impl Metrics {
    /// Adds what a service counts itself.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// The page that Prometheus reads, in the OpenMetrics text format.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match encode(&mut page, &registry) {
            Ok(()) => page,
            Err(error) => format!("# the metrics cannot be written: {error}\n"),
        }
    }

    pub(crate) fn start(
        self: &Arc<Self>,
        method: &Arc<Method>,
        deadline: Option<Instant>,
    ) -> CallTimer {
        let handles = method.metrics.started.get_or_init(|| {
            self.started.get_or_create_owned(&ByMethod { grpc_method: name(&method.path) })
        });
        handles.inc();
        // Whoever watches a process's health is no load.
        if !method.exempt {
            self.in_flight.inc();
        }
        CallTimer {
            metrics: Arc::clone(self),
            method: Arc::clone(method),
            since: Instant::now(),
            deadline,
            finished: AtomicBool::new(false),
        }
    }

    pub(crate) fn cache_hit(&self, path: &str) {
        self.cache_hits.get_or_create(&ByMethod { grpc_method: name(path) }).inc();
    }
}

/// The handles of one RPC, looked up once and not once a call.
#[derive(Debug, Default)]
pub(crate) struct CallMetrics {
    started: OnceLock<Counter>,
    duration: [OnceLock<Histogram>; 17],
}

/// One call being timed; dropped before its end, it belongs to a caller who went away.
#[derive(Debug)]
pub(crate) struct CallTimer {
    metrics: Arc<Metrics>,
    method: Arc<Method>,
    since: Instant,
    deadline: Option<Instant>,
    finished: AtomicBool,
}

impl Drop for CallTimer {
    /// A call whose answer was never made belongs to a caller who went away.
    fn drop(&mut self) {
        self.finish(self.left());
    }
}

impl CallTimer {
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What a call comes to whose caller goes away now. Both sides wait for the same deadline, and the
    /// caller's may be noticed first.
    pub(crate) fn left(&self) -> Code {
        let late = self.deadline.is_some_and(|deadline| {
            let grace = (deadline.saturating_duration_since(self.since) / 10).min(LATE);
            Instant::now() + grace >= deadline
        });
        if late { Code::DeadlineExceeded } else { Code::Cancelled }
    }

    /// Counts the call with its outcome, the first time that it is told.
    pub(crate) fn finish(&self, code: Code) -> Duration {
        let elapsed = self.since.elapsed();
        if self.finished.swap(true, Ordering::Relaxed) {
            return elapsed;
        }
        let slot = usize::try_from(code as i32).unwrap_or_default().min(16);
        let histogram = self.method.metrics.duration[slot].get_or_init(|| {
            self.metrics.duration.get_or_create_owned(&ByOutcome {
                grpc_method: name(&self.method.path),
                grpc_status: status_name(code).to_owned(),
            })
        });
        histogram.observe(elapsed.as_secs_f64());
        if !self.method.exempt {
            self.metrics.in_flight.dec();
        }
        elapsed
    }
}

/// The method as gRPC's metrics have it: without the leading slash.
fn name(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
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
