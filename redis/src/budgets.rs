//! Budgets of calls that all replicas draw on.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use mesh::replicas::{Quota, SharedBudgets};
use redis::Script;

use crate::connection::{Redis, Repeat, key, script};

static TAKE: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/take.lua")));

#[async_trait]
impl SharedBudgets for Redis {
    async fn take(&self, budget: &str, quota: Quota) -> Option<Duration> {
        let mut take = TAKE.key(key(&["budgets", budget]));
        let every = quota.every.as_secs_f64() * 1e6;
        take.arg(format!("{every:.3}")).arg(quota.burst.get());
        // Never twice: the first may have been counted.
        let wait = self.run::<u64>(&take, Repeat::Never).await.ok()?;
        Some(Duration::from_micros(wait))
    }
}
