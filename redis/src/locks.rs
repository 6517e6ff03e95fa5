//! Locks that one of all replicas has, each time with a greater fence.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use mesh::replicas::{Grant, SharedLocks, Taken};
use redis::Script;

use crate::answers::millis;
use crate::connection::{Redis, Repeat, key, script};

static LOCK: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/lock.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/renew.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/release.lua")));

#[async_trait]
impl SharedLocks for Redis {
    async fn take(&self, name: &str, owner: &str, lasts: Duration) -> Option<Taken> {
        let mut lock = LOCK.key(key(&["locks", name]));
        lock.key(key(&["locks", name, "fence"])).arg(owner).arg(millis(lasts).max(1));
        // Whoever asks twice finds that it is theirs already.
        let fence: u64 = self.run(&lock, Repeat::Once).await.ok()?;
        Some(if fence == 0 { Taken::Anothers } else { Taken::Ours { fence } })
    }

    async fn renew(&self, grant: &Grant, lasts: Duration) -> Option<bool> {
        let mut renew = RENEW.key(key(&["locks", &grant.name]));
        renew.arg(value(grant)).arg(millis(lasts).max(1));
        let renewed: i64 = self.run(&renew, Repeat::Once).await.ok()?;
        Some(renewed == 1)
    }

    async fn release(&self, grant: &Grant) {
        let mut release = RELEASE.key(key(&["locks", &grant.name]));
        release.arg(value(grant));
        // One that is not given up ends by itself.
        let _ = self.run::<i64>(&release, Repeat::Once).await;
    }
}

/// What stands under a lock's key while it is held.
fn value(grant: &Grant) -> String {
    format!("{} {}", grant.owner, grant.fence)
}
