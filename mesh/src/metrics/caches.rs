//! What is kept in memory: how often it was there, how often not, and how often it had to make room.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Histograms, Metrics, histograms, names, register};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCache {
    cache: &'static str,
}

#[derive(Debug)]
pub(super) struct Caches {
    hits: Family<ByCache, Counter>,
    misses: Family<ByCache, Counter>,
    evictions: Family<ByCache, Counter>,
    lookups: Histograms<ByCache>,
}

/// What one cache is counted by.
#[derive(Debug, Clone)]
pub(crate) struct CacheMetrics {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    /// What was still good, or might have been, and had to go.
    pub(crate) evictions: Counter,
}

impl Caches {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let caches = Self {
            hits: Family::default(),
            misses: Family::default(),
            evictions: Family::default(),
            lookups: histograms(registry, names::CACHE_LOOKUPS, names::LATENCY),
        };
        register(registry, names::CACHE_HITS, &caches.hits);
        register(registry, names::CACHE_MISSES, &caches.misses);
        register(registry, names::CACHE_EVICTIONS, &caches.evictions);
        caches
    }
}

impl Metrics {
    /// What a cache is counted by.
    pub(crate) fn cache(&self, cache: &'static str) -> CacheMetrics {
        let (caches, labels) = (&self.caches, ByCache { cache });
        CacheMetrics {
            hits: caches.hits.get_or_create_owned(&labels),
            misses: caches.misses.get_or_create_owned(&labels),
            evictions: caches.evictions.get_or_create_owned(&labels),
        }
    }

    /// How long a cache is looked into, where that may take its time.
    pub(crate) fn cache_lookups(&self, cache: &'static str) -> Histogram {
        self.caches.lookups.get_or_create_owned(&ByCache { cache })
    }
}

impl CacheMetrics {
    /// Counts whether something was there.
    pub(crate) fn looked(&self, is_there: bool) {
        if is_there {
            self.hits.inc()
        } else {
            self.misses.inc()
        };
    }
}
