//! The limit itself, as a value: times go in, with the time of day, and a limit comes out.
//!
//! `limit = gradient * limit + sqrt(limit)`, where the gradient is what calls should take through what they do
//! (Envoy's adaptive concurrency). The root lets it rise where nothing waits, and it settles where a short queue
//! stays: the more calls, the relatively shorter.

use tokio::time::Instant;

use super::Config;

/// Fewer times than these say nothing.
const ENOUGH: usize = 20;
/// More than these say nothing more.
const PLENTY: usize = 512;
/// A window that has not gathered enough by then begins anew: its times are of another moment.
const STALE: u32 = 20;
/// A limit falls to half and rises to twice what it was, at most.
const SLOWEST: usize = 2000;
const FASTEST: usize = 500;

/// The limit, and the times that the next is made of.
#[derive(Debug)]
pub(super) struct Gradient {
    config: Config,
    limit: usize,
    began: Instant,
    /// How slow calls were, in thousandths of what is fair.
    slowness: Vec<usize>,
    /// The most calls at once in this window.
    peak: usize,
    pressed: bool,
}

impl Gradient {
    pub(super) fn new(config: Config, now: Instant) -> Self {
        let limit = config.ceiling.max(config.floor);
        Self { config, limit, began: now, slowness: Vec::new(), peak: 0, pressed: false }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the times of now are what calls take when nothing keeps them waiting: nothing is shed, or so few
    /// are let in that it cannot be they who are slow.
    pub(super) fn is_at_ease(&self) -> bool {
        !self.pressed || self.limit <= self.config.floor
    }

    /// Gathers the time of a call; whether there are enough of them.
    pub(super) fn sample(&mut self, now: Instant, slowness: usize, in_flight: usize) -> bool {
        let open = now.duration_since(self.began);
        if self.slowness.len() < ENOUGH && open > self.config.window * STALE {
            self.begin(now);
        }
        if self.slowness.len() < PLENTY {
            self.slowness.push(slowness);
        }
        self.peak = self.peak.max(in_flight);
        self.slowness.len() >= ENOUGH && now.duration_since(self.began) >= self.config.window
    }

    /// Sets the limit anew from what was gathered.
    pub(super) fn close(&mut self, now: Instant, pressed: bool) -> usize {
        let middle = self.slowness.len() / 2;
        if middle > 0 {
            let (_, median, _) = self.slowness.select_nth_unstable(middle);
            let slowness = (*median).clamp(FASTEST, SLOWEST);
            let next = self.limit.saturating_mul(1000) / slowness + self.limit.isqrt();
            // What is not used says nothing of what could be.
            let used = pressed || self.peak >= self.limit / 2;
            let next = if used { next } else { next.min(self.limit) };
            self.limit = next.min(self.config.ceiling).max(self.config.floor);
        }
        self.pressed = pressed;
        self.begin(now);
        self.limit
    }

    fn begin(&mut self, now: Instant) {
        self.began = now;
        self.slowness.clear();
        self.peak = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::baseline::Baseline;
    use super::super::permille;
    use super::*;

    const CONFIG: Config = Config {
        floor: 20,
        ceiling: 2000,
        slack: Duration::from_millis(50),
        window: Duration::from_millis(100),
    };

    /// One window of a hundred like times.
    fn window(gradient: &mut Gradient, now: &mut Instant, slowness: usize, peak: usize) -> usize {
        *now += CONFIG.window;
        for _ in 0..100 {
            gradient.sample(*now, slowness, peak);
        }
        gradient.close(*now, false)
    }

    #[test]
    fn it_rises_while_calls_are_fast_and_the_limit_is_used() {
        let mut now = Instant::now();
        let mut gradient = Gradient::new(CONFIG, now);
        gradient.limit = 100;

        let used = window(&mut gradient, &mut now, 900, 80);
        gradient.limit = 100;
        let unused = window(&mut gradient, &mut now, 900, 10);

        assert_eq!((used, unused), (100 * 1000 / 900 + 10, 100));
    }

    #[test]
    fn it_falls_when_calls_are_slow_used_or_not_and_never_below_its_floor() {
        let mut now = Instant::now();
        let mut gradient = Gradient::new(CONFIG, now);

        let limits: Vec<_> = (0..20).map(|_| window(&mut gradient, &mut now, 10_000, 0)).collect();

        assert_eq!(limits[0], 1000 + 44);
        assert!(limits.is_sorted_by(|one, other| one >= other), "{limits:?}");
        assert_eq!(limits[19], CONFIG.floor);
    }

    #[test]
    fn few_times_change_nothing_and_old_ones_are_let_go() {
        let begin = Instant::now();
        let mut gradient = Gradient::new(CONFIG, begin);
        let hour = Duration::from_secs(3600);

        let lonely = (0..1000).map(|n| gradient.sample(begin + hour * n, 1_000_000, 1));

        assert!(!lonely.into_iter().any(|enough| enough));
        assert!(gradient.slowness.len() < ENOUGH);
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_between_floor_and_ceiling(
            told in proptest::collection::vec((any::<usize>(), any::<usize>(), 0_u64..300, any::<bool>()), 1..400),
        ) {
            let mut now = Instant::now();
            let mut gradient = Gradient::new(CONFIG, now);

            for (slowness, in_flight, millis, pressed) in told {
                now += Duration::from_millis(millis);
                if gradient.sample(now, slowness, in_flight) {
                    gradient.close(now, pressed);
                }
                prop_assert!((CONFIG.floor..=CONFIG.ceiling).contains(&gradient.limit()));
                prop_assert!(gradient.slowness.len() <= PLENTY);
            }
        }
    }

    /// A server that answers so many calls a second, each in `alone` when it is alone.
    struct Server {
        per_second: u32,
        alone: Duration,
        baseline: Baseline,
        gradient: Gradient,
        now: Instant,
    }

    impl Server {
        fn new(per_second: u32, alone: Duration) -> Self {
            let now = Instant::now();
            let gradient = Gradient::new(CONFIG, now);
            Self { per_second, alone, baseline: Baseline::default(), gradient, now }
        }

        /// What a call takes when so many are at work: by Little's law, what is over is waited for.
        fn time(&self, at_once: usize) -> Duration {
            let waited = Duration::from_secs(1) / self.per_second * u32::try_from(at_once).unwrap();
            self.alone.max(waited)
        }

        /// Lets so many clients call without a pause, for so many windows; what calls took at the end.
        fn run(&mut self, clients: usize, windows: u32) -> Duration {
            let mut took = Duration::ZERO;
            for _ in 0..windows {
                let admitted = clients.min(self.gradient.limit());
                took = self.time(admitted);
                self.now += CONFIG.window.max(took);
                for _ in 0..50 {
                    let at_ease = self.gradient.is_at_ease();
                    let fastest = self.baseline.learn(self.now, took, false, at_ease);
                    let fair = fastest + fastest / 4 + CONFIG.slack;
                    self.gradient.sample(self.now, permille(took, fair), admitted);
                }
                self.gradient.close(self.now, clients > admitted);
            }
            took
        }
    }

    #[test]
    fn a_server_that_keeps_up_sheds_nothing() {
        let mut server = Server::new(20_000, Duration::from_millis(2));
        server.run(1, 10);

        server.run(500, 1000);

        assert!(server.gradient.limit() >= 500, "{}", server.gradient.limit());
    }

    #[test]
    fn a_flood_waits_in_a_short_queue_for_as_long_as_it_lasts() {
        let mut server = Server::new(2000, Duration::from_millis(5));
        server.run(1, 10);
        let unlimited = server.time(2000);

        // Far longer than a fastest time is believed.
        let took = server.run(5000, 10_000);

        assert_eq!(unlimited, Duration::from_secs(1));
        assert!(took < Duration::from_millis(90), "{took:?}");
        assert!(took > Duration::from_millis(50), "{took:?}: the server has nothing to do");
    }

    #[test]
    fn a_server_that_is_slower_for_good_is_believed_in_the_end() {
        let mut server = Server::new(100_000, Duration::from_millis(5));
        server.run(1, 10);
        server.alone = Duration::from_millis(500);

        server.run(400, 2000);
        let limit = server.gradient.limit();

        assert!(limit >= 400, "{limit}");
    }

    #[test]
    fn when_the_flood_is_over_all_are_let_in_again() {
        let mut server = Server::new(2000, Duration::from_millis(5));
        server.run(1, 10);
        server.run(5000, 100);
        let pressed = server.gradient.limit();

        server.per_second = 200_000;
        server.run(1500, 200);

        assert!(pressed < 200, "{pressed}");
        assert!(server.gradient.limit() >= 1500, "{}", server.gradient.limit());
    }
}
