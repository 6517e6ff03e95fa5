//! How failed logins are counted, and how long the next one waits.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::config::Throttle;
use crate::session::micros;

/// What is known of the failures of one account or one network address; times in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// How many were counted together.
    pub(crate) failures: i64,
    /// Until when no password is tried.
    pub(crate) blocked_time: i64,
    /// When the count begins anew.
    pub(crate) forget_time: i64,
}

/// How many failures go unpunished, and how the wait grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    failures: i64,
    first_wait: i64,
    longest_wait: i64,
    remember: i64,
}

impl Rule {
    /// The rule of one account.
    pub(crate) fn of_account(throttle: &Throttle) -> Self {
        Self::new(throttle.account_failures, throttle)
    }

    /// The rule of one network address.
    pub(crate) fn of_address(throttle: &Throttle) -> Self {
        Self::new(throttle.address_failures, throttle)
    }

    fn new(failures: u32, throttle: &Throttle) -> Self {
        Self {
            failures: failures.max(1).into(),
            first_wait: micros(throttle.first_wait),
            longest_wait: micros(throttle.longest_wait),
            remember: micros(throttle.remember),
        }
    }

    /// The count with one failure more.
    pub(crate) fn failed(&self, count: Count, now: i64) -> Count {
        let before = if count.forget_time <= now { 0 } else { count.failures };
        let failures = before.saturating_add(1);
        let blocked_time = match failures - self.failures {
            ..0 => 0,
            doublings => now.saturating_add(self.wait(doublings)),
        };
        let forget_time = blocked_time.max(now).saturating_add(self.remember);
        Count { failures, blocked_time, forget_time }
    }

    fn wait(&self, doublings: i64) -> i64 {
        let doublings = u32::try_from(doublings).unwrap_or(u32::MAX);
        let factor = 1_i64.checked_shl(doublings.min(62)).unwrap_or(i64::MAX);
        self.first_wait.saturating_mul(factor).min(self.longest_wait)
    }
}

impl Count {
    /// How long no password is tried; nothing when one may be.
    pub(crate) fn wait(&self, now: i64) -> Option<Duration> {
        let wait = u64::try_from(self.blocked_time.saturating_sub(now)).ok()?;
        (wait > 0).then(|| Duration::from_micros(wait))
    }
}

/// What an account's failures are counted under, whether there is such an account or not.
pub(crate) fn account(email: &str) -> String {
    // A hash: what strangers type in is not kept.
    format!("account:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(email)))
}

/// What a network address's failures are counted under.
pub(crate) fn address(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        // Whoever has one IPv6 address has all of its /64.
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => format!("address:{address}"),
        Err(_) => format!("address:{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn the_wait_begins_with_the_fifth_failure_and_doubles_up_to_the_longest() {
        let rule = Rule::of_account(&Throttle::default());
        let (mut count, mut now, mut waits) = (Count::default(), 0, Vec::new());

        for _ in 0..11 {
            count = rule.failed(count, now);
            let wait = count.wait(now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += i64::try_from(wait.as_micros()).unwrap();
        }

        assert_eq!(waits, [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(count.wait(now), None);
    }

    #[test]
    fn failures_are_forgotten_after_the_last_one_and_its_wait() {
        let rule = Rule::of_account(&Throttle::default());
        let mut count = Count::default();
        for _ in 0..5 {
            count = rule.failed(count, 0);
        }
        let forgotten = (30 + 15 * 60) * SECOND;

        assert_eq!(rule.failed(count, forgotten - 1).failures, 6);
        assert_eq!(rule.failed(count, forgotten).failures, 1);
    }

    #[test]
    fn a_wait_never_overflows() {
        let rule = Rule::of_account(&Throttle::default());
        let count = Count { failures: i64::MAX, blocked_time: 0, forget_time: i64::MAX };

        assert_eq!(rule.failed(count, 0).wait(0), Some(Duration::from_secs(900)));
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_one_is_its_ipv4() {
        assert_eq!(address("2001:db8:1:2:3::4"), address("2001:db8:1:2:ffff::"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }
}
