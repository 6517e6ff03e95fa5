//! What the stores of a process count, for operators.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// A wait for a connection, in seconds: from what nobody notices to longer than a call may take.
const WAITS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    service: &'static str,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfService {
    service: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    service: &'static str,
    kind: String,
}

#[derive(Debug, Clone)]
struct Waits;

impl MetricConstructor<Histogram> for Waits {
    fn new_metric(&self) -> Histogram {
        Histogram::new(WAITS)
    }
}

type Gauges = Family<OfKind, Gauge<i64, AtomicI64>>;

/// What a service has left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Tasks that nobody does yet.
    Waiting,
    /// Tasks that should have been done.
    Overdue,
    /// Tasks that wait for a person.
    Dead,
    /// Events that wait for a person.
    DeadEvents,
}

/// What all stores of a process count together. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    commits: Family<Labels, Counter>,
    given_up: Family<Labels, Counter>,
    events_given_up: Family<Labels, Counter>,
    waits: Family<OfService, Histogram, Waits>,
    waited_in_vain: Family<OfService, Counter>,
    waiting: Gauges,
    overdue: Gauges,
    dead: Gauges,
    dead_events: Gauges,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            commits: Family::default(),
            given_up: Family::default(),
            events_given_up: Family::default(),
            waits: Family::new_with_constructor(Waits),
            waited_in_vain: Family::default(),
            waiting: Family::default(),
            overdue: Family::default(),
            dead: Family::default(),
            dead_events: Family::default(),
        }
    }
}

impl Metrics {
    /// Shows the counts on a process's page of metrics: commits by service and by the RPC or the kind of the
    /// task, what was given up by service and by kind or type, waits for connections by service, and what is
    /// left to do by service and by kind.
    pub fn register(&self, page: &mesh::metrics::Metrics) {
        page.register(|registry| {
            let help = "Transactions committed, by what they were committed for";
            registry.register("store_commits", help, self.commits.clone());
            let help = "Tasks that failed too often and wait for a person";
            registry.register("store_tasks_given_up", help, self.given_up.clone());
            let help = "Events that were refused too often and wait for a person";
            registry.register("store_events_given_up", help, self.events_given_up.clone());
            let help = "Waits for a connection, of those for whom none was free";
            registry.register("store_connection_wait_seconds", help, self.waits.clone());
            let help = "Waits for a connection that took longer than whoever waited could";
            registry.register("store_connection_waits_in_vain", help, self.waited_in_vain.clone());
            let help =
                "Tasks that nobody does yet, those for later too; no more than 10000 are counted";
            registry.register("store_tasks_waiting", help, self.waiting.clone());
            let help = "Tasks due for longer than a minute; no more than 10000 are counted";
            registry.register("store_tasks_overdue", help, self.overdue.clone());
            let help = "Tasks that failed too often and wait for a person now";
            registry.register("store_tasks_dead", help, self.dead.clone());
            let help = "Events that were refused too often and wait for a person now";
            registry.register("store_events_dead", help, self.dead_events.clone());
        });
    }

    pub(crate) fn committed(&self, service: &'static str, method: &str) {
        // As gRPC's own metrics name it: without the leading slash.
        let method = method.trim_start_matches('/').to_owned();
        self.commits.get_or_create(&Labels { service, method }).inc();
    }

    pub(crate) fn gave_up(&self, service: &'static str, kind: &str) {
        self.given_up.get_or_create(&Labels { service, method: kind.to_owned() }).inc();
    }

    pub(crate) fn event_gave_up(&self, service: &'static str, event_type: &str) {
        let labels = Labels { service, method: event_type.to_owned() };
        self.events_given_up.get_or_create(&labels).inc();
    }

    pub(crate) fn waited(&self, service: &'static str, time: Duration) {
        self.waits.get_or_create(&OfService { service }).observe(time.as_secs_f64());
    }

    pub(crate) fn waited_in_vain(&self, service: &'static str) {
        self.waited_in_vain.get_or_create(&OfService { service }).inc();
    }

    /// Shows how much is left to do of a kind, or of a type of events.
    pub(crate) fn left(&self, left: Left, service: &'static str, kind: &str, many: i64) {
        let gauges = match left {
            Left::Waiting => &self.waiting,
            Left::Overdue => &self.overdue,
            Left::Dead => &self.dead,
            Left::DeadEvents => &self.dead_events,
        };
        gauges.get_or_create(&OfKind { service, kind: kind.to_owned() }).set(many);
    }
}
