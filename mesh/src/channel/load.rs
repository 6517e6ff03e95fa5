//! How busy an endpoint is: the time that it takes to answer, times the calls that it has yet to answer.
//!
//! The time is a moving average that follows a rise at once and a fall slowly (peak EWMA), and fades
//! while nothing is heard, so that an endpoint that was slow is tried again. A failure counts as a very
//! slow answer: whoever fails fast would otherwise seem the fastest of all. An endpoint that says nothing at
//! all while calls wait there is taken to need that long: whoever hangs is known by it before the first
//! deadline has passed.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Within which time what was heard loses two thirds of its weight.
const DECAY: f32 = 10.0;
/// What an endpoint that nothing is known of is taken for.
const UNKNOWN: Duration = Duration::from_millis(30);
/// What a failure is taken for.
pub(super) const PENALTY: Duration = Duration::from_secs(5);
/// What a server that asks to be left alone may ask for at most.
pub(super) const LONGEST_PENALTY: Duration = Duration::from_secs(300);

/// The load of one endpoint, as one channel sees it. Reading and writing take no lock.
#[derive(Debug)]
pub(super) struct Load {
    /// Seconds as an `f32` in the upper half; when they were written, in milliseconds, in the lower.
    estimate: AtomicU64,
    pending: AtomicUsize,
    /// Calls of which no answer has begun.
    waiting: AtomicUsize,
    /// Since when calls wait with nothing heard, in milliseconds.
    silent_since: AtomicU32,
}

impl Load {
    /// The load of an endpoint that answers about as fast as others do, where that is known.
    pub(super) fn new(like_others: Option<Duration>, now_ms: u32) -> Self {
        let seconds = like_others.unwrap_or(UNKNOWN).as_secs_f32();
        Self {
            estimate: AtomicU64::new(packed(seconds, now_ms)),
            pending: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            silent_since: AtomicU32::new(now_ms),
        }
    }

    /// Sets what is known aside for what is known of others: the endpoint has begun anew.
    pub(super) fn begin_anew(&self, like_others: Option<Duration>, now_ms: u32) {
        let seconds = like_others.unwrap_or(UNKNOWN).as_secs_f32();
        self.estimate.store(packed(seconds, now_ms), Ordering::Relaxed);
    }

    /// A call goes out.
    pub(super) fn begin(&self, now_ms: u32) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.silent_since.store(now_ms, Ordering::Relaxed);
        }
    }

    /// An answer has begun, whatever it is.
    pub(super) fn answered(&self, now_ms: u32) {
        self.silent_since.store(now_ms, Ordering::Relaxed);
        self.given_up();
    }

    /// A call is not waited for any more, and nothing was heard.
    pub(super) fn given_up(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// A call has ended, for better or worse.
    pub(super) fn end(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }

    /// An answer took so long.
    pub(super) fn heard(&self, took: Duration, now_ms: u32) {
        let took = took.as_secs_f32();
        let update = |before| {
            let (estimate, at) = unpacked(before);
            let faded = faded(at, now_ms);
            let next = if took > estimate { took } else { estimate * faded + took * (1.0 - faded) };
            Some(packed(next, now_ms))
        };
        // It has no other outcome than to be written.
        let _ = self.estimate.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    }

    /// What one more call would cost here; only comparisons mean something.
    pub(super) fn cost(&self, now_ms: u32) -> f32 {
        let pending = u16::try_from(self.pending.load(Ordering::Relaxed)).unwrap_or(u16::MAX);
        self.estimate(now_ms).max(self.silence(now_ms)).as_secs_f32() * (f32::from(pending) + 1.0)
    }

    /// For how long nothing has been heard while calls wait.
    fn silence(&self, now_ms: u32) -> Duration {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return Duration::ZERO;
        }
        passed(self.silent_since.load(Ordering::Relaxed), now_ms)
    }

    /// How long an answer takes.
    pub(super) fn estimate(&self, now_ms: u32) -> Duration {
        let (estimate, at) = unpacked(self.estimate.load(Ordering::Relaxed));
        Duration::try_from_secs_f32(estimate * faded(at, now_ms)).unwrap_or(LONGEST_PENALTY)
    }
}

/// What is left of something heard then.
fn faded(then_ms: u32, now_ms: u32) -> f32 {
    (-passed(then_ms, now_ms).as_secs_f32() / DECAY).exp()
}

fn passed(then_ms: u32, now_ms: u32) -> Duration {
    // Another thread may have read a later time and written first; a month is a later time too.
    let passed = now_ms.wrapping_sub(then_ms);
    Duration::from_millis(if passed > u32::MAX / 2 { 0 } else { passed.into() })
}

fn packed(seconds: f32, at_ms: u32) -> u64 {
    u64::from(seconds.to_bits()) << 32 | u64::from(at_ms)
}

fn unpacked(estimate: u64) -> (f32, u32) {
    let upper = u32::try_from(estimate >> 32).unwrap_or(0);
    let lower = u32::try_from(estimate & u64::from(u32::MAX)).unwrap_or(0);
    (f32::from_bits(upper), lower)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn rounded(load: &Load, now_ms: u32) -> u128 {
        load.estimate(now_ms).as_micros().div_ceil(1000)
    }

    #[test]
    fn a_rise_is_followed_at_once_and_a_fall_slowly() {
        let load = Load::new(None, 0);

        load.heard(MS(500), 10);
        let risen = rounded(&load, 10);
        load.heard(MS(1), 10);
        let at_once = rounded(&load, 10);
        load.heard(MS(1), 10_010);

        assert_eq!((risen, at_once), (500, 500));
        assert!((150..200).contains(&rounded(&load, 10_010)), "{}", rounded(&load, 10_010));
    }

    #[test]
    fn what_was_slow_is_tried_again_in_time() {
        let (fast, slow) = (Load::new(Some(MS(1)), 0), Load::new(Some(MS(100)), 0));

        let dearer = |now| {
            fast.heard(MS(1), now);
            slow.cost(now) > fast.cost(now)
        };

        assert!(dearer(0) && dearer(40_000));
        assert!(!dearer(50_000));
    }

    #[test]
    fn each_call_that_waits_makes_the_next_dearer() {
        let load = Load::new(Some(MS(10)), 0);

        load.begin(0);
        load.begin(0);
        let busy = load.cost(0);
        load.end();
        load.end();

        assert!((busy / load.cost(0) - 3.0).abs() < 0.01);
    }

    #[test]
    fn whoever_hangs_is_dear_before_anything_is_heard() {
        let (well, hung) = (Load::new(Some(MS(1)), 0), Load::new(Some(MS(1)), 0));

        well.begin(0);
        hung.begin(0);
        well.answered(60);
        let dear = hung.cost(60) / well.cost(60);
        hung.given_up();

        assert!(dear > 50.0, "{dear}");
        assert!(hung.cost(60) < 0.003, "nothing waits there");
    }

    proptest! {
        #[test]
        fn an_estimate_is_never_above_what_was_heard_and_never_lost(
            heard in prop::collection::vec((0_u64..1000, 0_u32..60_000), 1..50),
        ) {
            let load = Load::new(Some(MS(0)), 0);
            let (mut now, mut most) = (u32::MAX - 100_000, 0);

            for (took, later) in heard {
                now = now.wrapping_add(later);
                load.heard(MS(took), now);
                most = most.max(took);

                let estimate = load.estimate(now);
                prop_assert!(estimate <= MS(most) + Duration::from_micros(100), "{estimate:?} {most}");
                prop_assert!(load.cost(now).is_finite());
            }
        }
    }
}
