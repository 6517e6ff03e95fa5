//! Calls that this process answers.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tonic::Code;

use super::exemplars::{InTrace, Times};
use super::{
    ByMethod, CODES, Histograms, Metrics, OTHER, bytes, histograms, name, names, register, slot,
    status_name,
};
use crate::policy::Method;
use crate::trace::Trace;

/// A caller who leaves this short before the deadline leaves because of it.
const LATE: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    grpc_method: String,
    grpc_status: String,
}

#[derive(Debug)]
pub(super) struct Server {
    started: Family<ByMethod, Counter>,
    duration: Histograms<ByOutcome, Times>,
    sent: Histograms<ByOutcome>,
    received: Histograms<ByOutcome>,
    in_flight: Gauge<i64, AtomicI64>,
    cache_hits: Family<ByMethod, Counter>,
    /// Of RPCs that are in no contract.
    other: CallMetrics,
}

impl Server {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let server = Self {
            started: Family::default(),
            duration: histograms(registry, names::SERVER_DURATION, names::LATENCY),
            sent: histograms(registry, names::SERVER_SENT, names::SIZE),
            received: histograms(registry, names::SERVER_RECEIVED, names::SIZE),
            in_flight: Gauge::default(),
            cache_hits: Family::default(),
            other: CallMetrics::default(),
        };
        register(registry, names::SERVER_STARTED, &server.started);
        registry.register(
            "grpc_server_calls_in_flight",
            "Calls being answered",
            server.in_flight.clone(),
        );
        registry.register(
            "mesh_response_cache_hits",
            "Calls answered with a kept answer",
            server.cache_hits.clone(),
        );
        server
    }

    fn started(&self, path: &str, metrics: &CallMetrics) {
        let started = metrics.started.get_or_init(|| {
            self.started.get_or_create_owned(&ByMethod { grpc_method: name(path) })
        });
        started.inc();
    }

    fn ended(&self, path: &str, metrics: &CallMetrics, code: Code, call: &Measured) {
        let ended = metrics.ended[slot(code)].get_or_init(|| {
            let labels =
                ByOutcome { grpc_method: name(path), grpc_status: status_name(code).to_owned() };
            Ended {
                duration: self.duration.get_or_create_owned(&labels),
                sent: self.sent.get_or_create_owned(&labels),
                received: self.received.get_or_create_owned(&labels),
            }
        });
        let in_trace = InTrace::of(call.trace);
        ended.duration.observe(call.elapsed.as_secs_f64(), in_trace, None);
        ended.sent.observe(bytes(call.sent));
        ended.received.observe(bytes(call.received));
    }
}

/// What there is to count at the end of a call.
struct Measured {
    trace: Trace,
    elapsed: Duration,
    sent: u64,
    received: u64,
}

impl Metrics {
    pub(crate) fn start(
        self: &Arc<Self>,
        method: &Arc<Method>,
        deadline: Option<Instant>,
        trace: Trace,
    ) -> CallTimer {
        self.server.started(&method.path, &method.metrics);
        // Whoever watches a process's health is no load.
        if !method.exempt {
            self.server.in_flight.inc();
        }
        CallTimer {
            metrics: Arc::clone(self),
            method: Arc::clone(method),
            since: Instant::now(),
            deadline,
            trace,
            received: Arc::default(),
            finished: AtomicBool::new(false),
        }
    }

    /// Counts a call of an RPC that is in no contract, whatever it is called.
    pub(crate) fn unknown(&self) {
        let call = Measured { trace: Trace::NONE, elapsed: Duration::ZERO, sent: 0, received: 0 };
        self.server.started(OTHER, &self.server.other);
        self.server.ended(OTHER, &self.server.other, Code::Unimplemented, &call);
    }

    pub(crate) fn cache_hit(&self, method: &Method) {
        let hits = method.metrics.cache_hits.get_or_init(|| {
            let labels = ByMethod { grpc_method: name(&method.path) };
            self.server.cache_hits.get_or_create_owned(&labels)
        });
        hits.inc();
    }
}

/// The handles of one RPC.
#[derive(Debug, Default)]
pub(crate) struct CallMetrics {
    started: OnceLock<Counter>,
    cache_hits: OnceLock<Counter>,
    ended: [OnceLock<Ended>; CODES],
}

#[derive(Debug)]
struct Ended {
    duration: Times,
    sent: Histogram,
    received: Histogram,
}

/// One call being timed; dropped before its end, it belongs to a caller who went away.
#[derive(Debug)]
pub(crate) struct CallTimer {
    metrics: Arc<Metrics>,
    method: Arc<Method>,
    since: Instant,
    deadline: Option<Instant>,
    trace: Trace,
    received: Arc<AtomicU64>,
    finished: AtomicBool,
}

impl Drop for CallTimer {
    /// A call whose answer was never made belongs to a caller who went away.
    fn drop(&mut self) {
        self.finish(self.left(), 0);
    }
}

impl CallTimer {
    pub(crate) fn method(&self) -> &Arc<Method> {
        &self.method
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How many bytes of messages have come; the request's body counts them.
    pub(crate) fn received(&self) -> &Arc<AtomicU64> {
        &self.received
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

    /// Counts the call with its outcome and how many bytes of messages answered it, the first time that it is told.
    pub(crate) fn finish(&self, code: Code, sent: u64) -> Duration {
        let elapsed = self.since.elapsed();
        if self.finished.swap(true, Ordering::Relaxed) {
            return elapsed;
        }
        let received = self.received.load(Ordering::Relaxed);
        let server = &self.metrics.server;
        let call = Measured { trace: self.trace, elapsed, sent, received };
        server.ended(&self.method.path, &self.method.metrics, code, &call);
        if !self.method.exempt {
            server.in_flight.dec();
        }
        elapsed
    }
}
