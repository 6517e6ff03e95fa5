//! Leaves endpoints out that fail more than the others: outlier detection, as gRFC A50 has it.
//!
//! Unlike there, an answer such as `NOT_FOUND` is no failure: it is the caller's affair, and says nothing of
//! the endpoint.

use std::time::Duration;

use tokio::time::Instant;

/// When an endpoint is left out, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    /// How often endpoints are compared.
    pub(super) interval: Duration,
    /// How long the first time lasts; each time in a row adds as much.
    pub(super) base: Duration,
    /// What no time is longer than.
    pub(super) longest: Duration,
    /// The share of endpoints that may be left out at once, in percent; one always may.
    pub(super) most_percent: usize,
    /// Below the others' success rate.
    pub(super) success_rate: SuccessRate,
    /// More failures than a share.
    pub(super) failure_percentage: FailurePercentage,
}

/// Endpoints whose success rate is far below the mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SuccessRate {
    /// How many standard deviations below the mean is too far.
    pub(super) deviations: f64,
    /// How many endpoints must have had enough calls for a mean to mean something.
    pub(super) least_endpoints: usize,
    /// How many calls are enough.
    pub(super) least_calls: u32,
}

/// Endpoints most of whose calls fail.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FailurePercentage {
    /// Above which share of failures, in percent.
    pub(super) most: u32,
    /// How many endpoints must have had enough calls.
    pub(super) least_endpoints: usize,
    /// How many calls are enough.
    pub(super) least_calls: u32,
}

impl Default for Rules {
    /// A50's numbers, but that two endpoints are enough to compare failures: small meshes have no five.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            base: Duration::from_secs(30),
            longest: Duration::from_secs(300),
            most_percent: 10,
            success_rate: SuccessRate { deviations: 1.9, least_endpoints: 5, least_calls: 100 },
            failure_percentage: FailurePercentage { most: 85, least_endpoints: 2, least_calls: 50 },
        }
    }
}

/// One endpoint, as it did since the last comparison.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) successes: u32,
    pub(super) failures: u32,
    pub(super) record: Record,
}

/// What is remembered of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Since when it is left out.
    since: Option<Instant>,
    /// How often in a row it was.
    times: u32,
}

impl Record {
    /// Whether it takes no calls.
    pub(super) fn is_out(&self) -> bool {
        self.since.is_some()
    }
}

impl Host {
    fn calls(&self) -> u32 {
        self.successes.saturating_add(self.failures)
    }

    fn success_rate(&self) -> f64 {
        f64::from(self.successes) / f64::from(self.calls().max(1))
    }
}

/// Compares endpoints and decides which are left out from now on.
pub(super) fn sweep(rules: &Rules, hosts: &mut [Host], now: Instant) {
    by_success_rate(rules, hosts, now);
    by_failure_percentage(rules, hosts, now);
    for Host { record, .. } in hosts {
        match record.since {
            None => record.times = record.times.saturating_sub(1),
            Some(since) => {
                let longest = rules.longest.max(rules.base);
                let time = rules.base.saturating_mul(record.times).min(longest);
                if now > since + time {
                    record.since = None;
                }
            }
        }
    }
}

fn by_success_rate(rules: &Rules, hosts: &mut [Host], now: Instant) {
    let SuccessRate { deviations, least_endpoints, least_calls } = rules.success_rate;
    let compared = hosts.iter().filter(|host| host.calls() >= least_calls);
    let rates: Vec<_> = compared.map(Host::success_rate).collect();
    if rates.len() < least_endpoints.max(1) {
        return;
    }
    let count = f64::from(u32::try_from(rates.len()).unwrap_or(u32::MAX));
    let mean = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    let least = mean - deviations * variance.sqrt();
    let is_low = |host: &Host| host.calls() >= least_calls && host.success_rate() < least;
    leave_out(rules, hosts, now, is_low);
}

fn by_failure_percentage(rules: &Rules, hosts: &mut [Host], now: Instant) {
    let FailurePercentage { most, least_endpoints, least_calls } = rules.failure_percentage;
    if hosts.iter().filter(|host| host.calls() >= least_calls).count() < least_endpoints.max(1) {
        return;
    }
    let fails = |host: &Host| {
        let share = u64::from(host.failures) * 100;
        host.calls() >= least_calls && share > u64::from(most) * u64::from(host.calls())
    };
    leave_out(rules, hosts, now, fails);
}

fn leave_out(rules: &Rules, hosts: &mut [Host], now: Instant, is_outlier: impl Fn(&Host) -> bool) {
    let all = hosts.len();
    let mut out = hosts.iter().filter(|host| host.record.is_out()).count();
    for host in hosts {
        // At least one, so that small meshes have outliers too.
        if out > 0 && out * 100 >= rules.most_percent * all {
            return;
        }
        if !host.record.is_out() && is_outlier(host) {
            host.record.since = Some(now);
            host.record.times = host.record.times.saturating_add(1);
            out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hosts(counts: &[(u32, u32)]) -> Vec<Host> {
        let host = |&(successes, failures)| Host { successes, failures, ..Host::default() };
        counts.iter().map(host).collect()
    }

    fn out(hosts: &[Host]) -> Vec<usize> {
        (0..hosts.len()).filter(|at| hosts[*at].record.is_out()).collect()
    }

    #[test]
    fn of_two_the_one_that_fails_is_left_out() {
        let (rules, now) = (Rules::default(), Instant::now());

        let (mut one, mut both) = (hosts(&[(100, 0), (0, 100)]), hosts(&[(0, 100), (0, 100)]));
        let (mut few, mut most) = (hosts(&[(49, 0), (0, 49)]), hosts(&[(100, 0), (15, 85)]));
        for hosts in [&mut one, &mut both, &mut few, &mut most] {
            sweep(&rules, hosts, now);
        }

        assert_eq!((out(&one), out(&few), out(&most)), (vec![1], vec![], vec![]));
        assert_eq!(out(&both), [0], "someone must answer");
    }

    #[test]
    fn one_far_below_the_mean_is_left_out_though_it_mostly_answers() {
        let (rules, now) = (Rules::default(), Instant::now());
        let mut five = hosts(&[(100, 0), (100, 0), (100, 0), (100, 0), (70, 30)]);
        let mut four = hosts(&[(100, 0), (100, 0), (100, 0), (70, 30)]);

        sweep(&rules, &mut five, now);
        sweep(&rules, &mut four, now);

        assert_eq!((out(&five), out(&four)), (vec![4], vec![]));
    }

    #[test]
    fn each_time_in_a_row_is_longer_and_good_times_are_forgiven() {
        let (rules, begun) = (Rules::default(), Instant::now());
        let mut hosts = hosts(&[(100, 0), (0, 100)]);
        let mut lasted = Vec::new();
        let (mut now, mut since) = (begun, begun);

        for _ in 0..200 {
            let was_out = hosts[1].record.is_out();
            sweep(&rules, &mut hosts, now);
            match (was_out, hosts[1].record.is_out()) {
                (false, true) => since = now,
                (true, false) => lasted.push((now - since).as_secs()),
                (true, true) | (false, false) => {}
            }
            now += rules.interval;
        }
        let times = hosts[1].record.times;
        hosts[1] = Host { successes: 100, failures: 0, record: hosts[1].record.clone() };
        hosts[1].record.since = None;
        (0..times).for_each(|_| sweep(&rules, &mut hosts, now));

        assert_eq!(lasted[..3], [40, 70, 100]);
        assert_eq!(lasted.last(), Some(&310));
        assert_eq!(hosts[1].record.times, 0);
    }

    proptest! {
        #[test]
        fn no_more_than_the_share_or_one_is_ever_left_out(
            counts in prop::collection::vec((0_u32..200, 0_u32..200), 1..40),
            sweeps in 1..5_usize,
        ) {
            let rules = Rules::default();
            let mut hosts = hosts(&counts);
            let now = Instant::now();

            (0..sweeps).for_each(|_| sweep(&rules, &mut hosts, now));

            let most = (hosts.len() * rules.most_percent).div_ceil(100).max(1);
            prop_assert!(out(&hosts).len() <= most);
        }
    }
}
