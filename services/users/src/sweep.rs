//! What is done again and again: keys rotated, what has expired removed.

use std::sync::Arc;

use mesh::Context;
use store::Runner;

use crate::error::Error;
use crate::keys::longest_token;
use crate::session::micros;
use crate::store::{self as sql, Limits};
use crate::users::Users;

/// A runner that does it.
pub(crate) fn sweeps(runner: Runner, users: &Arc<Users>) -> Runner {
    let (rotating, sweeping) = (Arc::clone(users), Arc::clone(users));
    let period = users.config.sweep_every;
    runner
        .every(period, "users.rotate_keys", move |_| {
            let users = Arc::clone(&rotating);
            async move {
                users.begin().await?;
                Ok(users.keys.rotate().await?)
            }
        })
        .every(period, "users.sweep", move |context| {
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
        let mut tx = self.store.begin_for(context).await?;
        let removed = sql::sweep(&mut tx, limits).await?;
        tx.commit().await?;
        if removed > 0 {
            tracing::debug!(removed, "removed what had expired");
        }
        Ok(())
    }
}
