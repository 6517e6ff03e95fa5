//! The machine's clock, which is not believed at once when it jumps.
//!
//! A clock that is set wrong for a moment would end every lease and every token at once, and what was written down
//! meanwhile would be due at a time that does not come for long. So the time goes on as what has passed since says,
//! until a jump has stood for a while: then the machine is believed, as after a sleep or when somebody has set it right.

use std::sync::atomic::{AtomicI64, Ordering};

/// What clocks differ by when they are put right little by little, in microseconds.
const USUAL: i64 = 1_000_000;
/// From which difference on they are followed.
const FOLLOWED: i64 = 1_000;
/// How long a jump must have stood to be believed, in microseconds.
const BELIEVED_AFTER: i64 = 30_000_000;
/// No jump is doubted.
const NONE: i64 = i64::MIN;

/// A clock beside one that only counts what passes.
#[derive(Debug)]
pub(super) struct Steady {
    /// By how much the machine's clock is ahead of what has passed.
    ahead: AtomicI64,
    /// When the machine's clock was first seen to have jumped, by what had passed.
    doubted: AtomicI64,
}

impl Steady {
    /// At a time of the machine's clock, when so much had passed.
    pub(super) fn new(machine: i64, passed: i64) -> Self {
        Self {
            ahead: AtomicI64::new(machine.saturating_sub(passed)),
            doubted: AtomicI64::new(NONE),
        }
    }

    /// The time, when the machine says one and so much has passed.
    pub(super) fn at(&self, machine: i64, passed: i64) -> i64 {
        let (known, ahead) = (self.ahead.load(Ordering::Acquire), machine.saturating_sub(passed));
        if known.abs_diff(ahead) <= USUAL.unsigned_abs() {
            // Every call reads the time on every core, so that nothing is written which is there.
            if self.doubted.load(Ordering::Acquire) != NONE
                && self.doubted.swap(NONE, Ordering::AcqRel) != NONE
            {
                tracing::info!("the machine's clock is as before");
            }
            if known.abs_diff(ahead) > FOLLOWED.unsigned_abs() {
                self.ahead.store(ahead, Ordering::Release);
            }
            return machine;
        }
        let by = ahead.saturating_sub(known) / 1_000_000;
        let first =
            self.doubted.compare_exchange(NONE, passed, Ordering::AcqRel, Ordering::Acquire);
        let since = first.map_or_else(|since| since, |_| passed);
        if first.is_ok() {
            tracing::warn!(
                by_seconds = by,
                "the machine's clock has jumped, and is not believed yet"
            );
        }
        if passed.saturating_sub(since) < BELIEVED_AFTER {
            return passed.saturating_add(known);
        }
        self.ahead.store(ahead, Ordering::Release);
        self.doubted.store(NONE, Ordering::Release);
        tracing::warn!(by_seconds = by, "the machine's clock has jumped, and is believed now");
        machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3600 * SECOND;

    #[test]
    fn a_clock_that_is_put_right_little_by_little_is_followed() {
        let steady = Steady::new(HOUR, 0);

        for passed in 1..100 {
            let machine = HOUR + passed * SECOND + passed * SECOND / 2;
            assert_eq!(steady.at(machine, passed * SECOND), machine);
        }
    }

    #[test]
    fn a_jump_that_is_taken_back_soon_was_never_there() {
        let steady = Steady::new(HOUR, 0);

        for passed in 1..30 {
            let time = steady.at(3 * HOUR, passed * SECOND);
            assert_eq!(time, HOUR + passed * SECOND);
        }
        assert_eq!(steady.at(HOUR + 30 * SECOND, 30 * SECOND), HOUR + 30 * SECOND);
        // It is doubted anew, for as long again.
        assert_eq!(steady.at(0, 40 * SECOND), HOUR + 40 * SECOND);
        assert_eq!(steady.at(29 * SECOND, 69 * SECOND), HOUR + 69 * SECOND);
    }

    #[test]
    fn a_jump_that_stands_is_believed_ahead_and_back() {
        let steady = Steady::new(HOUR, 0);

        assert_eq!(steady.at(3 * HOUR, SECOND), HOUR + SECOND);
        assert_eq!(steady.at(3 * HOUR + 30 * SECOND, 31 * SECOND), 3 * HOUR + 30 * SECOND);
        assert_eq!(steady.at(HOUR + 32 * SECOND, 32 * SECOND), 3 * HOUR + 31 * SECOND);
        assert_eq!(steady.at(HOUR + 62 * SECOND, 62 * SECOND), HOUR + 62 * SECOND);
    }
}
