//! How many retries a channel may make before it leaves an ailing service alone (gRFC A6).

use std::sync::atomic::{AtomicU32, Ordering};

/// A failure takes so much away.
const FAILURE: u32 = 1_000;

/// The limits of a throttle, in thousandths of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    /// What a channel begins with; at half of it or below, nothing is tried again.
    pub(super) full: u32,
    /// What a success gives back.
    pub(super) success: u32,
}

impl Default for Throttling {
    /// A6's usual numbers: ten failures, and ten successes make good for one.
    fn default() -> Self {
        Self { full: 10_000, success: 100 }
    }
}

/// What failures take away and successes give back, over all calls of one channel.
#[derive(Debug, Default)]
pub struct Throttle {
    spent: AtomicU32,
}

impl Throttle {
    /// Counts a success.
    pub fn succeeded(&self, limits: Throttling) {
        // Nearly always nothing is spent, and nothing need be written.
        if self.spent.load(Ordering::Relaxed) > 0 {
            let give = |spent: u32| Some(spent.saturating_sub(limits.success));
            let _ = self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
        }
    }

    /// Counts a failure that could be tried again; whether it may be.
    pub fn failed(&self, limits: Throttling) -> bool {
        let take = |spent: u32| Some(spent.saturating_add(FAILURE).min(limits.full));
        let before = self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let spent = before.ok().and_then(take).unwrap_or(limits.full);
        limits.full - spent.min(limits.full) > limits.full / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_whose_calls_all_fail_stops_trying_again_and_recovers_with_successes() {
        let (throttle, limits) = (Throttle::default(), Throttling::default());

        let retried = (0..20).filter(|_| throttle.failed(limits)).count();
        assert_eq!(retried, 4);
        (0..70).for_each(|_| throttle.succeeded(limits));

        assert!(throttle.failed(limits), "seven of ten failures are made good for");
        assert!((0..3).any(|_| !throttle.failed(limits)));
    }

    #[test]
    fn in_a_total_outage_a_thousand_calls_are_hardly_more() {
        let (throttle, limits) = (Throttle::default(), Throttling::default());

        let sent: usize = (0..1000).map(|_| 1 + usize::from(throttle.failed(limits))).sum();

        assert!(sent <= 1200, "{sent}");
    }
}
