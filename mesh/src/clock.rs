//! The time, as a value that tests can set.

mod steady;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use prost_types::Timestamp;

use self::steady::Steady;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Machine { since: Instant, steady: Arc<Steady> },
    Set(Arc<AtomicI64>),
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The machine's clock. When it jumps, time goes on as before until that has stood for half a minute.
    #[must_use]
    pub fn system() -> Self {
        let steady = Arc::new(Steady::new(machine(), 0));
        Self { source: Source::Machine { since: Instant::now(), steady } }
    }

    /// A clock that stands at a time until it is moved; clones move with it.
    #[must_use]
    pub fn at(micros: i64) -> Self {
        Self { source: Source::Set(Arc::new(AtomicI64::new(micros))) }
    }

    /// Moves a clock that stands; the machine's clock does not move.
    pub fn advance(&self, by: Duration) {
        if let Source::Set(set) = &self.source {
            set.fetch_add(micros_of(by), Ordering::SeqCst);
        }
    }

    /// Moves a clock that stands back, as when one that was ahead is put right.
    pub fn put_back(&self, by: Duration) {
        if let Source::Set(set) = &self.source {
            set.fetch_sub(micros_of(by), Ordering::SeqCst);
        }
    }

    /// Microseconds since 1970, UTC.
    #[must_use]
    pub fn now_micros(&self) -> i64 {
        match &self.source {
            Source::Machine { since, steady } => steady.at(machine(), micros_of(since.elapsed())),
            Source::Set(set) => set.load(Ordering::SeqCst),
        }
    }

    /// The time as contracts carry it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        timestamp(self.now_micros())
    }
}

/// What the machine's clock says.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn machine() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, micros_of)
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
