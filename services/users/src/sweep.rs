//! What is done again and again, by one replica: keys rotated, what has expired removed.

use std::sync::Arc;
use std::time::Duration;

use mesh::Context;
use store::{Runner, Schedule};
use tokio::time::Instant;

use crate::error::Error;
use crate::keys::longest_token;
use crate::session::micros;
use crate::store::{self as sql, Limits};
use crate::users::Users;

/// How many rows of each table one transaction removes.
const BATCH: i64 = 500;
/// A firing stops so long before it would be cut off; the next one goes on.
const MARGIN: Duration = Duration::from_secs(10);

/// A runner that does it.
pub(crate) fn sweeps(runner: Runner, users: &Arc<Users>) -> Runner {
    let (rotating, sweeping) = (Arc::clone(users), Arc::clone(users));
    let schedule = Schedule::every(users.config.sweep_every);
    runner
        .schedule(schedule.clone(), "users.rotate_keys", move |_, _| {
            let users = Arc::clone(&rotating);
            async move {
                users.begin().await?;
                Ok(users.keys.rotate().await?)
            }
        })
        .schedule(schedule, "users.sweep", move |context, _| {
            let users = Arc::clone(&sweeping);
            async move { Ok(users.sweep(&context).await?) }
        })
}

impl Users {
    async fn sweep(&self, context: &Context) -> Result<(), Error> {
        let now = self.now();
        let limits = Limits {
            refresh_tokens: now - micros(self.config.lifetimes.session_idle),
            sessions: now - micros(longest_token(&self.config.lifetimes)),
            keys: self.keys.forgotten_before(),
            failures: now,
        };
        loop {
            let mut tx = self.store.begin_for(context).await?;
            let removed = sql::sweep(&mut tx, limits, BATCH).await?;
            if removed == 0 {
                return Ok(());
            }
            tx.commit().await?;
            tracing::debug!(removed, "removed what had expired");
            if context.deadline.is_some_and(|deadline| Instant::now() + MARGIN > deadline) {
                return Ok(());
            }
        }
    }
}
