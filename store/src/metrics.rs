//! What the stores of a process count, for operators.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    service: &'static str,
    method: String,
}

/// What all stores of a process count together. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    commits: Family<Labels, Counter>,
    given_up: Family<Labels, Counter>,
    events_given_up: Family<Labels, Counter>,
}

impl Metrics {
    /// Shows the counts on a process's page of metrics: `store_commits_total`, by service and by the RPC
    /// or the kind of the task that committed, `store_tasks_given_up_total`, by service and by kind,
    /// and `store_events_given_up_total`, by service and by the type of the event.
    pub fn register(&self, page: &mesh::metrics::Metrics) {
        page.register(|registry| {
            let help = "Transactions committed, by what they were committed for";
            registry.register("store_commits", help, self.commits.clone());
            let help = "Tasks that failed too often and wait for a person";
            registry.register("store_tasks_given_up", help, self.given_up.clone());
            let help = "Events that were refused too often and wait for a person";
            registry.register("store_events_given_up", help, self.events_given_up.clone());
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
}
