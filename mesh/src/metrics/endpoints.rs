//! The endpoints that this process calls: their connections, and whether they take calls.

use std::fmt::{self, Debug};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::{names, register};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTarget {
    grpc_target: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEndpoint {
    grpc_target: String,
    endpoint: String,
}

/// What all connections are counted in.
#[derive(Debug)]
pub(super) struct Families {
    connected: Family<ByTarget, Counter>,
    not_connected: Family<ByTarget, Counter>,
    disconnected: Family<ByTarget, Counter>,
    open: Family<ByTarget, Gauge<i64, AtomicI64>>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            connected: Family::default(),
            not_connected: Family::default(),
            disconnected: Family::default(),
            open: Family::default(),
        };
        register(registry, names::CONNECTED, &families.connected);
        register(registry, names::NOT_CONNECTED, &families.not_connected);
        register(registry, names::DISCONNECTED, &families.disconnected);
        register(registry, names::OPEN, &families.open);
        families
    }

    pub(super) fn of(&self, target: &str) -> Subchannels {
        let labels = ByTarget { grpc_target: target.to_owned() };
        Subchannels {
            connected: self.connected.get_or_create_owned(&labels),
            not_connected: self.not_connected.get_or_create_owned(&labels),
            disconnected: self.disconnected.get_or_create_owned(&labels),
            open: self.open.get_or_create_owned(&labels),
        }
    }
}

/// The handles of one channel. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Subchannels {
    connected: Counter,
    not_connected: Counter,
    disconnected: Counter,
    open: Gauge<i64, AtomicI64>,
}

impl Subchannels {
    /// A connection was made; it is open until what this answers is dropped.
    pub(crate) fn connected(&self) -> Open {
        self.connected.inc();
        self.open.inc();
        Open { disconnected: self.disconnected.clone(), open: self.open.clone() }
    }

    /// A connection could not be made.
    pub(crate) fn not_connected(&self) {
        self.not_connected.inc();
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Open {
    disconnected: Counter,
    open: Gauge<i64, AtomicI64>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.disconnected.inc();
        self.open.dec();
    }
}

/// The endpoints behind one target, as they are at the moment.
pub(crate) trait Fleet: Debug + Send + Sync {
    /// Each of them.
    fn endpoints(&self) -> Vec<Endpoint>;
}

/// Whether one endpoint takes calls.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: String,
    /// It is connected to and healthy.
    pub(crate) is_ready: bool,
    /// It fails more than the others (gRFC A50).
    pub(crate) is_ejected: bool,
    /// Its breaker leaves it alone.
    pub(crate) is_shut: bool,
}

/// A target, and the endpoints behind it.
type Known = (String, Weak<dyn Fleet>);

/// The fleets of all channels, read when somebody looks and at no other time.
#[derive(Debug, Clone, Default)]
pub(super) struct Fleets {
    known: Arc<Mutex<Vec<Known>>>,
}

impl Fleets {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let fleets = Self::default();
        registry.register_collector(Box::new(fleets.clone()));
        fleets
    }

    pub(super) fn add(&self, target: &str, fleet: Weak<dyn Fleet>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, fleet)| fleet.strong_count() > 0);
        known.push((target.to_owned(), fleet));
    }

    fn endpoints(&self) -> Vec<(ByEndpoint, Endpoint)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for (target, fleet) in known.iter() {
            for endpoint in fleet.upgrade().map(|fleet| fleet.endpoints()).unwrap_or_default() {
                let labels =
                    ByEndpoint { grpc_target: target.clone(), endpoint: endpoint.address.clone() };
                // Two channels may have one target; what either sees is seen.
                if !found.iter().any(|(other, _)| *other == labels) {
                    found.push((labels, endpoint));
                }
            }
        }
        found
    }
}

/// What is said of each endpoint.
type Says = (&'static str, &'static str, fn(&Endpoint) -> bool);

const SAYS: [Says; 3] = [
    ("mesh_endpoint_ready", "Whether an endpoint is connected to and healthy", |it| it.is_ready),
    ("mesh_endpoint_ejected", "Whether an endpoint fails more than the others", |it| it.is_ejected),
    ("mesh_endpoint_shut", "Whether the breaker of an endpoint leaves it alone", |it| it.is_shut),
];

impl Collector for Fleets {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let endpoints = self.endpoints();
        if endpoints.is_empty() {
            return Ok(());
        }
        for (name, help, says) in SAYS {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, endpoint) in &endpoints {
                let gauge = ConstGauge::new(i64::from(says(endpoint)));
                gauge.encode(metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}
