//! What is counted of Redis, for operators.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    Answered,
    Failed,
    /// It was not sent, since Redis had failed.
    Rested,
}

/// How a batch of events went to its consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Way {
    Redis,
    /// By a call of the mesh, since Redis was not to be had.
    Direct,
    /// Not at all: there was no room.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWay {
    way: Way,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) up: Gauge,
    pub(crate) partitions: Gauge,
    commands: Family<ByOutcome, Counter>,
    batches: Family<ByWay, Counter>,
}

impl Metrics {
    pub(crate) fn register(&self, page: &mesh::metrics::Metrics) {
        page.register(|registry| {
            let help = "Whether Redis is asked: 0 after failures, until it answers again";
            registry.register("redis_up", help, self.up.clone());
            let help = "Partitions of events that this process acts on";
            registry.register("redis_partitions_held", help, self.partitions.clone());
            let help = "Commands to Redis, by what became of them";
            registry.register("redis_commands", help, self.commands.clone());
            let help = "Batches of events, by the way that they took to their consumer";
            registry.register("redis_event_batches", help, self.batches.clone());
        });
    }

    pub(crate) fn command(&self, outcome: Outcome) {
        self.commands.get_or_create(&ByOutcome { outcome }).inc();
    }

    pub(crate) fn batch(&self, way: Way) {
        self.batches.get_or_create(&ByWay { way }).inc();
    }
}
