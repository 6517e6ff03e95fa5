//! Limits of calls: a budget of calls for each caller, by the class that the contract names (GCRA).

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use contract::mesh::v1::Rate;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::admission;
use crate::context::Context;
use crate::failure::Refusal;

/// The budgets of one caller (a user or guest, or an address when nobody has signed in), and of all together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls without side effects, a second.
    pub reads_per_second: NonZeroU32,
    /// Calls that change something, a second.
    pub writes_per_second: NonZeroU32,
    /// Calls that check a secret, a minute, by address.
    pub credentials_per_minute: NonZeroU32,
    /// Calls at once, of all callers together; none limits them not at all.
    pub at_once: Option<admission::Config>,
}

impl Default for Limits {
    fn default() -> Self {
        let of = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            reads_per_second: of(200),
            writes_per_second: of(50),
            credentials_per_minute: of(30),
            at_once: Some(admission::Config::default()),
        }
    }
}

impl Limits {
    /// None: for whatever calls from one address, faster than any customer.
    #[must_use]
    pub fn unlimited() -> Self {
        let most = NonZeroU32::MAX;
        Self {
            reads_per_second: most,
            writes_per_second: most,
            credentials_per_minute: most,
            at_once: None,
        }
    }
}

/// The time of the runtime, which tests can pause; the clock on the wall may go back.
#[derive(Debug, Clone, Copy)]
struct Monotonic;

impl Clock for Monotonic {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        tokio::time::Instant::now().into_std()
    }
}

type Budget = RateLimiter<
    Arc<str>,
    DefaultKeyedStateStore<Arc<str>>,
    Monotonic,
    NoOpMiddleware<std::time::Instant>,
>;

/// Counts calls against their budgets.
#[derive(Debug)]
pub(crate) struct Limiter {
    reads: Budget,
    writes: Budget,
    credentials: Budget,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let budget = |quota| Budget::new(quota, DefaultKeyedStateStore::default(), Monotonic);
        Self {
            reads: budget(Quota::per_second(limits.reads_per_second)),
            writes: budget(Quota::per_second(limits.writes_per_second)),
            credentials: budget(Quota::per_minute(limits.credentials_per_minute)),
        }
    }

    /// Takes one call from its budget.
    pub(crate) fn take(&self, rate: Rate, context: &Context) -> Result<(), Refusal> {
        let address = || network(context.address().unwrap_or("unknown"));
        let who = || context.caller.subject().map_or_else(address, Arc::from);
        let (budget, key) = match rate {
            Rate::Read => (&self.reads, who()),
            Rate::Write => (&self.writes, who()),
            Rate::Credential => (&self.credentials, address()),
            Rate::Internal | Rate::Unspecified => return Ok(()),
        };
        budget.check_key(&key).map_err(|until| {
            let wait = until.wait_time_from(Monotonic.now());
            Refusal::RateLimited(wait.max(Duration::from_millis(1)))
        })
    }

    /// Forgets callers whose budgets are full again.
    pub(crate) fn forget(&self) {
        for budget in [&self.reads, &self.writes, &self.credentials] {
            budget.retain_recent();
        }
    }
}

/// What one client can come from: an IPv4 address, or the network of 2^64 addresses that IPv6 gives to each.
fn network(address: &str) -> Arc<str> {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(six)) => {
            let network = Ipv6Addr::from_bits(six.to_bits() >> 64 << 64);
            format!("{network}/64").into()
        }
        Ok(IpAddr::V4(four)) => four.to_string().into(),
        Err(_) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_budget_whichever_of_its_addresses_it_comes_from() {
        assert_eq!(network("192.0.2.1"), "192.0.2.1".into());
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1".into());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("unknown"), "unknown".into());
    }
}
