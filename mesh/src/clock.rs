//! The time, as a value that tests can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use prost_types::Timestamp;

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at a time until it is moved; clones move with it.
    #[must_use]
    pub fn at(micros: i64) -> Self {
        Self { set: Some(Arc::new(AtomicI64::new(micros))) }
    }

    /// Moves a clock that stands; the machine's clock does not move.
    pub fn advance(&self, by: Duration) {
        if let Some(set) = &self.set {
            set.fetch_add(micros_of(by), Ordering::SeqCst);
        }
    }

    /// Microseconds since 1970, UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now_micros(&self) -> i64 {
        match &self.set {
            Some(set) => set.load(Ordering::SeqCst),
            None => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, micros_of),
        }
    }

    /// The time as contracts carry it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        timestamp(self.now_micros())
    }
}

/// A time as contracts carry it, from microseconds since 1970.
#[must_use]
pub fn timestamp(micros: i64) -> Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or_default();
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// Microseconds since 1970, from a time as contracts carry it.
#[must_use]
pub fn micros(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1000)
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
