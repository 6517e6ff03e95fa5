//! Rate limits: a budget of calls for each caller, by the class that the contract names (GCRA).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use contract::mesh::v1::Rate;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::context::Context;
use crate::failure::Refusal;

/// The budgets of one caller: a user or guest, or an address when nobody has signed in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls without side effects, a second.
    pub reads_per_second: NonZeroU32,
    /// Calls that change something, a second.
    pub writes_per_second: NonZeroU32,
    /// Calls that check a secret, a minute, by address.
    pub credentials_per_minute: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        let of = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            reads_per_second: of(200),
            writes_per_second: of(50),
            credentials_per_minute: of(30),
        }
    }
}

/// Counts calls against their budgets.
#[derive(Debug)]
pub(crate) struct Limiter {
    reads: DefaultKeyedRateLimiter<Arc<str>>,
    writes: DefaultKeyedRateLimiter<Arc<str>>,
    credentials: DefaultKeyedRateLimiter<Arc<str>>,
    clock: DefaultClock,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            reads: RateLimiter::keyed(Quota::per_second(limits.reads_per_second)),
            writes: RateLimiter::keyed(Quota::per_second(limits.writes_per_second)),
            credentials: RateLimiter::keyed(Quota::per_minute(limits.credentials_per_minute)),
            clock: DefaultClock::default(),
        }
    }

    /// Takes one call from its budget.
    pub(crate) fn take(&self, rate: Rate, context: &Context) -> Result<(), Refusal> {
        let address = || Arc::from(context.address().unwrap_or("unknown"));
        let who = || context.caller.subject().map_or_else(address, Arc::from);
        let (budget, key) = match rate {
            Rate::Read => (&self.reads, who()),
            Rate::Write => (&self.writes, who()),
            Rate::Credential => (&self.credentials, address()),
            Rate::Internal | Rate::Unspecified => return Ok(()),
        };
        budget.check_key(&key).map_err(|until| {
            Refusal::RateLimited(
                until.wait_time_from(self.clock.now()).max(Duration::from_millis(1)),
            )
        })
    }

    /// Forgets callers whose budgets are full again.
    pub(crate) fn forget(&self) {
        for budget in [&self.reads, &self.writes, &self.credentials] {
            budget.retain_recent();
        }
    }
}
