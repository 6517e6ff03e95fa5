//! Limits of calls: a budget of calls for each caller, by the class that the contract names (GCRA).
//!
//! Where replicas share their budgets, each has its own only for when they cannot.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use contract::mesh::v1::Rate;
use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;

use crate::admission;
use crate::context::Context;
use crate::failure::Refusal;
use crate::replicas::{Quota, SharedBudgets};

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

/// The shortest wait that is asked for.
const LEAST_WAIT: Duration = Duration::from_millis(1);

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

/// The budgets of one rate.
#[derive(Debug)]
struct Budgets {
    name: &'static str,
    quota: Quota,
    local: Budget,
}

impl Budgets {
    fn new(name: &'static str, calls: NonZeroU32, per: Duration) -> Self {
        let every = (per / calls.get()).max(Duration::from_nanos(1));
        let local = governor::Quota::with_period(every)
            .map_or_else(|| governor::Quota::per_second(calls), |quota| quota.allow_burst(calls));
        Self {
            name,
            quota: Quota { burst: calls, every },
            local: Budget::new(local, DefaultKeyedStateStore::default(), Monotonic),
        }
    }

    fn is_unlimited(&self) -> bool {
        self.quota.burst == NonZeroU32::MAX
    }
}

/// Counts calls against their budgets.
pub(crate) struct Limiter {
    reads: Budgets,
    writes: Budgets,
    credentials: Budgets,
    shared: Option<Arc<dyn SharedBudgets>>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, shared: Option<Arc<dyn SharedBudgets>>) -> Self {
        let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
        Self {
            reads: Budgets::new("reads", limits.reads_per_second, second),
            writes: Budgets::new("writes", limits.writes_per_second, second),
            credentials: Budgets::new("credentials", limits.credentials_per_minute, minute),
            shared,
        }
    }

    /// Takes one call from its budget: of all replicas, or of this one while nobody knows that.
    pub(crate) async fn take(&self, rate: Rate, context: &Context) -> Result<(), Refusal> {
        let address = || network(context.address().unwrap_or("unknown"));
        let who = || context.caller.subject().map_or_else(address, Arc::from);
        let (budgets, key) = match rate {
            Rate::Read => (&self.reads, who()),
            Rate::Write => (&self.writes, who()),
            Rate::Credential => (&self.credentials, address()),
            Rate::Internal | Rate::Unspecified => return Ok(()),
        };
        let wait = match self.take_shared(budgets, &key).await {
            Some(wait) => wait,
            None => budgets.local.check_key(&key).map_or_else(
                |until| until.wait_time_from(Monotonic.now()).max(LEAST_WAIT),
                |()| Duration::ZERO,
            ),
        };
        if wait.is_zero() { Ok(()) } else { Err(Refusal::RateLimited(wait.max(LEAST_WAIT))) }
    }

    async fn take_shared(&self, budgets: &Budgets, key: &str) -> Option<Duration> {
        let shared = self.shared.as_ref().filter(|_| !budgets.is_unlimited())?;
        shared.take(&format!("{} {key}", budgets.name), budgets.quota).await
    }

    /// Forgets callers whose budgets are full again.
    pub(crate) fn forget(&self) {
        for budgets in [&self.reads, &self.writes, &self.credentials] {
            budgets.local.retain_recent();
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
