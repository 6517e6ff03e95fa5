//! Calls that this process makes of others.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tonic::Code;

use super::exemplars::{InTrace, Times};
use super::{
    CODES, Histograms, OTHER, bytes, histograms, name, names, register, slot, status_name,
};
use crate::policy::Method;
use crate::trace::Trace;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTarget {
    grpc_method: String,
    grpc_target: String,
}

#[expect(clippy::struct_field_names, reason = "the labels of gRFC A66")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    grpc_method: String,
    grpc_target: String,
    grpc_status: String,
}

/// What all calls are counted in.
#[derive(Debug)]
pub(super) struct Client {
    started: Family<ByTarget, Counter>,
    attempt: Histograms<ByOutcome, Times>,
    sent: Histograms<ByOutcome>,
    received: Histograms<ByOutcome>,
    call: Histograms<ByOutcome, Times>,
    retries: Histograms<ByTarget>,
    transparent: Histograms<ByTarget>,
    hedges: Histograms<ByTarget>,
    delay: Histograms<ByTarget>,
}

impl Client {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let started = Family::default();
        register(registry, names::ATTEMPT_STARTED, &started);
        Self {
            started,
            attempt: histograms(registry, names::ATTEMPT_DURATION, names::LATENCY),
            sent: histograms(registry, names::ATTEMPT_SENT, names::SIZE),
            received: histograms(registry, names::ATTEMPT_RECEIVED, names::SIZE),
            call: histograms(registry, names::CALL_DURATION, names::LATENCY),
            retries: histograms(registry, names::CALL_RETRIES, names::RETRIES),
            transparent: histograms(registry, names::CALL_TRANSPARENT, names::TRANSPARENT),
            hedges: histograms(registry, names::CALL_HEDGES, names::RETRIES),
            delay: histograms(registry, names::CALL_DELAY, names::LATENCY),
        }
    }
}

/// What the calls of one channel are counted by: a place for each RPC, and one for all that are in no contract.
#[derive(Debug)]
pub(crate) struct Channel {
    client: Arc<Client>,
    target: Arc<str>,
    methods: Box<[OnceLock<Arc<Of>>]>,
}

impl Channel {
    pub(super) fn new(client: Arc<Client>, target: &str, methods: usize) -> Self {
        let methods = (0..=methods).map(|_| OnceLock::new()).collect();
        Self { client, target: target.into(), methods }
    }

    /// The handles of one RPC.
    pub(crate) fn of(&self, method: Option<&Method>) -> Arc<Of> {
        let last = self.methods.len() - 1;
        let place = &self.methods[method.map_or(last, |method| method.number.min(last))];
        let handles = place.get_or_init(|| {
            let labels = ByTarget {
                grpc_method: method.map_or(OTHER.to_owned(), |method| name(&method.path)),
                grpc_target: self.target.to_string(),
            };
            let client = Arc::clone(&self.client);
            let started = client.started.get_or_create_owned(&labels);
            Arc::new(Of {
                client,
                labels,
                started,
                attempts: Default::default(),
                calls: Default::default(),
            })
        });
        Arc::clone(handles)
    }
}

/// The handles of one RPC on one channel.
#[derive(Debug)]
pub(crate) struct Of {
    client: Arc<Client>,
    labels: ByTarget,
    started: Counter,
    attempts: [OnceLock<Attempts>; CODES],
    calls: [OnceLock<Times>; CODES],
}

#[derive(Debug)]
struct Attempts {
    duration: Times,
    sent: Histogram,
    received: Histogram,
}

/// How often a call was tried, beyond the first time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Again {
    pub(crate) retries: u32,
    pub(crate) transparent: u32,
    pub(crate) hedges: u32,
    /// How long nothing was under way.
    pub(crate) delay: Duration,
}

impl Of {
    /// A try begins.
    pub(crate) fn begin(&self) {
        self.started.inc();
    }

    /// A try has ended.
    pub(crate) fn attempt(
        &self,
        code: Code,
        took: Duration,
        sent: u64,
        received: u64,
        trace: Trace,
    ) {
        let Client { attempt, sent: sents, received: receiveds, .. } = &*self.client;
        let ended = self.attempts[slot(code)].get_or_init(|| {
            let labels = self.outcome(code);
            Attempts {
                duration: attempt.get_or_create_owned(&labels),
                sent: sents.get_or_create_owned(&labels),
                received: receiveds.get_or_create_owned(&labels),
            }
        });
        ended.duration.observe(took.as_secs_f64(), InTrace::of(trace), None);
        ended.sent.observe(bytes(sent));
        ended.received.observe(bytes(received));
    }

    /// A call has ended.
    pub(crate) fn call(&self, code: Code, took: Duration, again: Again, trace: Trace) {
        let ended = self.calls[slot(code)]
            .get_or_init(|| self.client.call.get_or_create_owned(&self.outcome(code)));
        ended.observe(took.as_secs_f64(), InTrace::of(trace), None);
        let Client { retries, transparent, hedges, delay, .. } = &*self.client;
        // Calls that are tried once are no part of how often calls are tried again.
        for (family, count) in
            [(retries, again.retries), (transparent, again.transparent), (hedges, again.hedges)]
        {
            if count > 0 {
                family.get_or_create(&self.labels).observe(f64::from(count));
            }
        }
        if again.retries > 0 {
            delay.get_or_create(&self.labels).observe(again.delay.as_secs_f64());
        }
    }

    fn outcome(&self, code: Code) -> ByOutcome {
        ByOutcome {
            grpc_method: self.labels.grpc_method.clone(),
            grpc_target: self.labels.grpc_target.clone(),
            grpc_status: status_name(code).to_owned(),
        }
    }
}
