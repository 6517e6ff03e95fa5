//! How long a connection that failed is left alone: gRPC's connection backoff, with the times of a mesh.

use std::time::Duration;

/// gRPC has 1 s and 120 s, for servers across the Internet. Here the other side is a process that starts
/// in a tenth of a second, and whoever has restarted it waits for its calls.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3);
const FACTOR: f64 = 1.6;
/// By how much a wait is longer or shorter by chance, so that those who failed together come back apart.
const JITTER: f64 = 0.2;

/// Waits that grow from failure to failure.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: i32,
}

impl Backoff {
    /// The wait after one more failure; `chance` is between 0 and 1.
    pub(super) fn failed(&mut self, chance: f64) -> Duration {
        let grown = FIRST.mul_f64(FACTOR.powi(self.failures.min(32))).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        grown.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance.clamp(0.0, 1.0))
    }

    /// Begins anew after a success.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();

        let waits: Vec<_> = (0..10).map(|_| backoff.failed(0.5).as_millis()).collect();
        backoff.succeeded();

        assert_eq!(waits, [100, 160, 256, 409, 655, 1048, 1677, 2684, 3000, 3000]);
        assert_eq!(backoff.failed(0.0), Duration::from_millis(80));
        assert_eq!(backoff.failed(1.0), Duration::from_millis(192));
    }
}
