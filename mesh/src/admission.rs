//! How many calls are answered at once: fewer when answers become slow, and the least important are shed first.
//!
//! Invariant: nothing waits here. A call that is one too many is refused at once and told when to come again.

mod baseline;
mod gradient;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;
use tonic::Code;

pub(crate) use self::baseline::Baseline;

use self::gradient::Gradient;
use crate::failure::Refusal;
use crate::metrics::Metrics;
use crate::policy::Method;

/// When a call that was shed may come again; each is told a time of its own, half to three halves of it.
const COME_AGAIN: Duration = Duration::from_millis(200);

/// How many calls may be answered at once, and what counts as slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The fewest: as many as never keep each other waiting.
    pub floor: usize,
    /// The most, and what a process begins with.
    pub ceiling: usize,
    /// How much longer than at their fastest calls may take, besides a quarter more; a twentieth of their deadline
    /// where that is more.
    pub slack: Duration,
    /// How long times are gathered before the limit is set anew.
    pub window: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            floor: 20,
            ceiling: 2000,
            slack: Duration::from_millis(50),
            window: Duration::from_millis(100),
        }
    }
}

/// How much is lost with a call, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Criticality {
    /// It comes from the edge and changes nothing: whoever looks can look again.
    Read,
    /// It comes from the edge and changes something: someone is buying.
    Write,
    /// A service makes it, within something that was begun and would be undone.
    FollowUp,
}

impl Criticality {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::FollowUp];

    fn of(method: &Method, by_service: bool) -> Self {
        match (by_service, method.without_effect) {
            (true, _) => Self::FollowUp,
            (false, false) => Self::Write,
            (false, true) => Self::Read,
        }
    }

    /// Up to how many calls at once it is taken. What was begun may make several calls, one within another.
    fn share(self, limit: usize) -> usize {
        match self {
            Self::Read => limit - limit / 5,
            Self::Write => limit,
            Self::FollowUp => limit.saturating_mul(4),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::FollowUp => "follow-up",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCriticality {
    criticality: &'static str,
}

/// Lets calls in, in one process.
#[derive(Debug)]
pub(crate) struct Admission {
    config: Config,
    limit: AtomicUsize,
    in_flight: AtomicUsize,
    /// Something was shed since the limit was last set.
    pressed: AtomicBool,
    gradient: Mutex<Gradient>,
    limit_told: Gauge<i64, AtomicI64>,
    in_flight_told: Gauge<i64, AtomicI64>,
    shed: [Counter; 3],
}

impl Admission {
    pub(crate) fn new(config: Config, metrics: &Metrics) -> Arc<Self> {
        let gradient = Gradient::new(config, Instant::now());
        let (limit_told, in_flight_told) = (Gauge::default(), Gauge::default());
        let shed = Family::<ByCriticality, Counter>::default();
        let limit = gradient.limit();
        tell(&limit_told, limit);
        metrics.register(|registry| {
            let limits = "How many calls may be answered at once";
            registry.register("mesh_admission_limit", limits, limit_told.clone());
            let admitted = "Calls that hold a place; streams do until their answer begins";
            registry.register("mesh_admission_in_flight", admitted, in_flight_told.clone());
            registry.register("mesh_admission_shed", "Calls refused as too many", shed.clone());
        });
        Arc::new(Self {
            config,
            limit: AtomicUsize::new(limit),
            in_flight: AtomicUsize::new(0),
            pressed: AtomicBool::new(false),
            gradient: Mutex::new(gradient),
            limit_told,
            in_flight_told,
            shed: Criticality::ALL
                .map(|of| shed.get_or_create_owned(&ByCriticality { criticality: of.name() })),
        })
    }

    /// Takes a place for a call, where there is one for its kind. Health and reflection need none: an
    /// overloaded process must be able to say so.
    pub(crate) fn admit(
        self: &Arc<Self>,
        method: &Arc<Method>,
        by_service: bool,
    ) -> Result<Option<Place>, Refusal> {
        if method.is_foreign() {
            return Ok(None);
        }
        let criticality = Criticality::of(method, by_service);
        let most = criticality.share(self.limit.load(Ordering::Relaxed));
        let take = |taken: usize| (taken < most).then_some(taken + 1);
        if self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take).is_err() {
            self.pressed.store(true, Ordering::Relaxed);
            self.shed[criticality as usize].inc();
            return Err(Refusal::Overloaded(COME_AGAIN.mul_f64(0.5 + rand::random::<f64>())));
        }
        self.in_flight_told.inc();
        Ok(Some(Place {
            admission: Arc::clone(self),
            method: Arc::clone(method),
            since: Instant::now(),
            measured: AtomicBool::new(method.unary),
        }))
    }

    /// Learns from the time of a call. Nobody waits for another to have done so: one time more or less is
    /// no matter.
    fn learn(&self, method: &Method, took: Duration, late: bool) {
        let Ok(mut gradient) = self.gradient.try_lock() else { return };
        let Ok(mut baseline) = method.baseline.try_lock() else { return };
        let now = Instant::now();
        let fastest = baseline.learn(now, took, late, gradient.is_at_ease());
        // Who may wait for a minute minds a second less than who may wait for two.
        let patience = method.deadline().unwrap_or_default() / 20;
        let fair = fastest + fastest / 4 + self.config.slack.max(patience);
        let slowness = permille(took, fair);
        // What was cut off would have taken longer; that it was not slow by then says nothing.
        if late && slowness < 1000 {
            return;
        }
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        if gradient.sample(now, slowness, in_flight) {
            let pressed = self.pressed.swap(false, Ordering::Relaxed);
            let limit = gradient.close(now, pressed);
            self.limit.store(limit, Ordering::Relaxed);
            tell(&self.limit_told, limit);
        }
    }
}

/// A place among the calls that are answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    method: Arc<Method>,
    since: Instant,
    /// A stream takes as long as it is wanted, and a kept answer no time at all: neither says how fast calls are.
    measured: AtomicBool,
}

impl Place {
    /// Says that the time of this call tells nothing.
    pub(crate) fn unmeasured(&self) {
        self.measured.store(false, Ordering::Relaxed);
    }

    /// Gives the place back with what the call came to. What is refused is refused fast and says nothing of
    /// the others; what came too late does.
    pub(crate) fn end(self, code: Code) {
        let measured = self.measured.swap(false, Ordering::Relaxed);
        let late = code == Code::DeadlineExceeded;
        if measured && (late || code == Code::Ok) {
            self.admission.learn(&self.method, self.since.elapsed(), late);
        }
    }
}

impl Drop for Place {
    /// A call that has no end yet is one whose caller went away, mostly for having waited too long.
    fn drop(&mut self) {
        if self.measured.load(Ordering::Relaxed) {
            self.admission.learn(&self.method, self.since.elapsed(), true);
        }
        self.admission.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.admission.in_flight_told.dec();
    }
}

fn tell(gauge: &Gauge<i64, AtomicI64>, number: usize) {
    gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
}

/// How many thousandths of what is fair a call took.
fn permille(took: Duration, fair: Duration) -> usize {
    let permille = took.as_nanos() * 1000 / fair.as_nanos().max(1);
    usize::try_from(permille).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_shed_first_and_what_was_begun_last() {
        for limit in [0, 1, 20, 2000, usize::MAX] {
            let shares = Criticality::ALL.map(|criticality| criticality.share(limit));

            assert!(shares.is_sorted(), "{limit}: {shares:?}");
        }
    }

    #[test]
    fn a_time_is_told_in_thousandths_of_what_is_fair() {
        let ms = Duration::from_millis;

        assert_eq!(permille(ms(10), ms(10)), 1000);
        assert_eq!(permille(ms(5), ms(10)), 500);
        assert_eq!(permille(ms(5), Duration::ZERO), 5_000_000_000);
    }
}
