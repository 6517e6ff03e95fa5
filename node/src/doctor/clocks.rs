//! Whether others have the same time: leases of tasks end by the clocks of all processes.

use std::time::Duration;

use super::finding::{Finding, Verdict};

const CHECK: &str = "clock";

/// A time that somebody else has said, and when that was asked for and known here, in microseconds since 1970.
pub(super) struct Said {
    pub(super) theirs: i64,
    pub(super) asked: i64,
    pub(super) known: i64,
}

/// Compares a clock, with the time of the answer in its favour.
pub(super) fn compare(whose: &str, said: &Said, lease: Duration) -> Finding {
    let Said { theirs, asked, known } = said;
    let earlier = asked.saturating_sub(*theirs);
    let later = theirs.saturating_sub(*known);
    let off = Duration::from_micros(u64::try_from(earlier.max(later)).unwrap_or_default());
    let found = format!("{whose} differs from the clock here by {off:.1?} or less than that");
    let advice = "have both synchronised (chrony, systemd-timesyncd, or the machine below); \
                  leases of tasks end by the clock: see --task-lease-seconds";
    Finding::of(CHECK, Verdict::when(off > lease / 4, off > lease / 20), found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_off_by_a_small_part_of_a_lease() {
        let lease = Duration::from_secs(10);
        let judged = |theirs| {
            compare("a", &Said { theirs, asked: 100_000_000, known: 100_200_000 }, lease).verdict
        };

        assert_eq!(judged(100_100_000), Verdict::Pass);
        assert_eq!(judged(100_600_000), Verdict::Pass);
        assert_eq!(judged(101_000_000), Verdict::Warn);
        assert_eq!(judged(99_000_000), Verdict::Warn);
        assert_eq!(judged(103_000_000), Verdict::Fail);
        assert_eq!(judged(97_000_000), Verdict::Fail);
    }
}
