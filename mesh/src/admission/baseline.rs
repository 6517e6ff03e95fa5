//! How fast an RPC is when nothing keeps it waiting: each has a time of its own, since a process answers
//! some in microseconds and others in seconds.

use std::time::Duration;

use tokio::time::Instant;

/// How long a fastest time is believed; after up to twice of it, what was once fast is forgotten.
const BELIEVED: Duration = Duration::from_secs(60);

/// The fastest times of one RPC, of this while and of the last.
#[derive(Debug, Default)]
pub(crate) struct Baseline {
    since: Option<Instant>,
    current: Option<Duration>,
    last: Option<Duration>,
}

impl Baseline {
    /// Learns from a call, and tells the fastest. What was fast is only forgotten at ease: under pressure all
    /// calls are slow, and their times would soon be taken for what they should be. A call that was cut off
    /// does not say how fast it might have been.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        took: Duration,
        late: bool,
        at_ease: bool,
    ) -> Duration {
        let since = *self.since.get_or_insert(now);
        if at_ease && now.duration_since(since) >= BELIEVED && self.current.is_some() {
            self.last = self.current.take();
            self.since = Some(now);
        }
        if !late {
            self.current = Some(self.current.map_or(took, |fastest| fastest.min(took)));
        }
        self.current.into_iter().chain(self.last).min().unwrap_or(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_fastest_is_believed_for_a_while_and_then_forgotten() {
        let (mut baseline, begin) = (Baseline::default(), Instant::now());
        baseline.learn(begin, MS, false, true);

        let soon = baseline.learn(begin + BELIEVED, MS * 9, false, true);
        let later = baseline.learn(begin + BELIEVED * 2, MS * 9, false, true);

        assert_eq!((soon, later), (MS, MS * 9));
    }

    #[test]
    fn nothing_is_forgotten_under_pressure() {
        let (mut baseline, begin) = (Baseline::default(), Instant::now());
        baseline.learn(begin, MS, false, true);

        let told = (1..100).map(|n| baseline.learn(begin + BELIEVED * n, MS * 9, false, false));

        assert!(told.into_iter().all(|fastest| fastest == MS));
    }

    #[test]
    fn what_came_too_late_is_not_the_fastest() {
        let (mut baseline, begin) = (Baseline::default(), Instant::now());

        let cut = baseline.learn(begin, MS, true, true);
        let whole = baseline.learn(begin, MS * 5, false, true);

        assert_eq!((cut, whole), (MS, MS * 5));
    }
}
