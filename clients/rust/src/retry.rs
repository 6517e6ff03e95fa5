//! Which calls are tried again, after which failures, and when.

use std::time::Duration;

use mesh::{Code, Status};
use tonic_types::StatusExt;

/// How a call that is safe to repeat is tried again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// How often it is tried in all; 1 means once.
    pub attempts: u32,
    /// The longest wait before the second try; each further try doubles it.
    pub first_wait: Duration,
    /// What no wait is longer than, unless the server asks for more.
    pub longest_wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_wait: Duration::from_millis(50),
            longest_wait: Duration::from_secs(2),
        }
    }
}

impl Retry {
    /// How long to wait before the next try, given how many there were and where in the time from
    /// nothing to the longest wait chance has fallen; nothing when it is not tried again.
    pub(crate) fn wait(&self, status: &Status, tries: u32, chance: f64) -> Option<Duration> {
        if tries >= self.attempts {
            return None;
        }
        let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let doubled = 2_u32.checked_pow(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.first_wait.saturating_mul(doubled).min(self.longest_wait);
        // Full jitter: whoever failed together does not come back together.
        let wait = longest.mul_f64(chance.clamp(0.0, 1.0));
        match (status.code(), asked) {
            (Code::Unavailable, None) => Some(wait),
            (Code::Unavailable | Code::Aborted | Code::ResourceExhausted, Some(asked)) => {
                Some(asked.saturating_add(wait))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn asking(code: Code, wait: Duration) -> Status {
        let details = ErrorDetails::with_retry_info(Some(wait));
        Status::with_error_details(code, "later", details)
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_last_try() {
        let retry = Retry { attempts: 9, ..Retry::default() };
        let status = Status::unavailable("gone");

        let waits: Vec<_> = (1..=9)
            .map(|tries| retry.wait(&status, tries, 1.0).map(|wait| wait.as_millis()))
            .collect();

        let expected = [50, 100, 200, 400, 800, 1600, 2000, 2000];
        assert_eq!(waits, [expected.map(Some).as_slice(), &[None]].concat());
        assert_eq!(retry.wait(&status, 1, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_and_more() {
        let (retry, second) = (Retry::default(), Duration::from_secs(1));

        for code in [Code::Unavailable, Code::Aborted, Code::ResourceExhausted] {
            let wait = retry.wait(&asking(code, second), 1, 1.0);
            assert_eq!(wait, Some(second + Duration::from_millis(50)), "{code:?}");
        }
    }

    #[test]
    fn a_failure_that_time_does_not_heal_is_final() {
        let retry = Retry::default();

        for code in [Code::NotFound, Code::Internal, Code::DeadlineExceeded, Code::Unknown] {
            assert_eq!(retry.wait(&asking(code, Duration::ZERO), 1, 1.0), None, "{code:?}");
        }
        // Nobody said that a stale etag gets better by waiting.
        assert_eq!(retry.wait(&Status::aborted("stale"), 1, 1.0), None);
        assert_eq!(retry.wait(&Status::resource_exhausted("full"), 1, 1.0), None);
    }
}
