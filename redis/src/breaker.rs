//! When Redis is not asked: after a few failures in a row, until a probe is answered.

use std::sync::atomic::{AtomicU32, Ordering};

/// So many failures in a row end the asking.
const FAILURES: u32 = 3;

/// Counts failures in a row. It is open, and lets nothing through, from the third until it is closed.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: AtomicU32,
}

impl Breaker {
    pub(crate) fn is_open(&self) -> bool {
        self.failures.load(Ordering::Acquire) >= FAILURES
    }

    /// Counts a failure; whether it is the one that opens.
    pub(crate) fn failed(&self) -> bool {
        let count = |failures: u32| Some(failures.saturating_add(1));
        let before = self.failures.fetch_update(Ordering::AcqRel, Ordering::Acquire, count);
        before == Ok(FAILURES - 1)
    }

    /// Notes an answer to something that was let through. What is open stays so: its answer is old.
    pub(crate) fn answered(&self) {
        let closed = |failures: u32| (failures < FAILURES && failures > 0).then_some(0);
        let _ = self.failures.fetch_update(Ordering::AcqRel, Ordering::Acquire, closed);
    }

    /// Lets everything through again.
    pub(crate) fn close(&self) {
        self.failures.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_once_and_a_probe_closes_it() {
        let breaker = Breaker::default();

        assert!(!breaker.failed() && !breaker.failed());
        breaker.answered();
        assert!(!breaker.failed() && !breaker.failed() && !breaker.is_open());
        assert!(breaker.failed() && breaker.is_open());
        assert!(!breaker.failed(), "it opens once");
        breaker.answered();
        assert!(breaker.is_open(), "an answer from before says nothing of now");
        breaker.close();
        assert!(!breaker.is_open());
    }
}
