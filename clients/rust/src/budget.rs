//! How many retries a client may make before it leaves an ailing mesh alone (gRFC A6).

use std::sync::atomic::{AtomicU32, Ordering};

/// What a client begins with, in thousandths of a failure; below half of it, nothing is tried again.
const FULL: u32 = 10_000;
const FAILURE: u32 = 1_000;
/// What a success gives back.
const SUCCESS: u32 = 100;

/// What failures take away and successes give back.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: AtomicU32::new(FULL) }
    }
}

impl Budget {
    /// Counts a success.
    pub(crate) fn succeeded(&self) {
        self.change(|left| left.saturating_add(SUCCESS).min(FULL));
    }

    /// Counts a failure; whether what failed may be tried again.
    pub(crate) fn failed(&self) -> bool {
        self.change(|left| left.saturating_sub(FAILURE)) > FULL / 2
    }

    /// What is left after a change.
    fn change(&self, change: impl Fn(u32) -> u32) -> u32 {
        let before =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(change(left)));
        before.map_or(0, change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_whose_calls_all_fail_stops_trying_again_and_recovers_with_successes() {
        let budget = Budget::default();

        let retried = (0..20).filter(|_| budget.failed()).count();
        assert_eq!(retried, 4);
        (0..61).for_each(|_| budget.succeeded());

        assert!(budget.failed());
    }
}
