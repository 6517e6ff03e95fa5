//! Clients that ping too often, as gRFC A8 counts them.

use tokio::time::Instant;

use super::config::Pings;

/// The pings of one client.
#[derive(Debug)]
pub(super) struct Strikes {
    limits: Pings,
    last: Option<Instant>,
    too_soon: u32,
}

impl Strikes {
    pub(super) fn new(limits: Pings) -> Self {
        Self { limits, last: None, too_soon: 0 }
    }

    /// Counts a ping; whether it is one too many.
    pub(super) fn ping(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        let too_soon = last.is_some_and(|last| now.duration_since(last) < self.limits.least);
        self.too_soon += u32::from(too_soon);
        self.too_soon > self.limits.strikes
    }

    /// What the server sends of a call makes up for pings: clients measure with them as data comes.
    pub(super) fn answered(&mut self) {
        self.last = None;
        self.too_soon = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn strikes() -> (Strikes, Instant) {
        let limits = Pings { least: Duration::from_secs(10), strikes: 2 };
        (Strikes::new(limits), Instant::now())
    }

    #[test]
    fn the_third_ping_that_comes_too_soon_is_one_too_many() {
        let (mut strikes, begin) = strikes();
        let at = |seconds| begin + Duration::from_secs(seconds);

        let told = [0, 1, 2, 3].map(|second| strikes.ping(at(second)));

        assert_eq!(told, [false, false, false, true]);
    }

    #[test]
    fn pings_that_keep_their_distance_may_come_for_ever() {
        let (mut strikes, begin) = strikes();

        assert!(!(0..10_000).any(|ping| strikes.ping(begin + Duration::from_secs(ping * 10))));
    }

    #[test]
    fn an_answer_makes_up_for_pings() {
        let (mut strikes, begin) = strikes();

        for second in 0..10_000 {
            assert!(!strikes.ping(begin + Duration::from_secs(second)));
            if second % 2 == 1 {
                strikes.answered();
            }
        }
    }
}
