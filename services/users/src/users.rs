//! What every call of users works with.

use std::sync::Arc;

use mesh::trust::Trust;
use mesh::{Context, HasContext};
use store::Store;
use tokio::sync::OnceCell;
use tradewind::users::v1::Project;

use crate::NAME;
use crate::config::Config;
use crate::error::Error;
use crate::keys::Keys;
use crate::password_threads::PasswordThreads;

/// Accounts, sessions, keys and projects of this process.
pub(crate) struct Users {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) trust: Arc<Trust>,
    pub(crate) passwords: PasswordThreads,
    pub(crate) keys: Keys,
    /// Set once the first projects, the first administrator and the first key are there.
    pub(crate) begun: OnceCell<()>,
}

impl Users {
    pub(crate) fn new(config: Config, store: Store, trust: Arc<Trust>) -> Self {
        let passwords = PasswordThreads::start(&config.hashing);
        let keys = Keys::new(store.clone(), config.lifetimes.clone());
        Self { config, store, trust, passwords, keys, begun: OnceCell::new() }
    }

    /// The caller's project.
    pub(crate) async fn project(&self, of: &impl HasContext) -> Result<Project, Error> {
        self.begin().await?;
        let id = of.context().caller.project();
        let project = self.store.read(of).find(id).await?;
        project.ok_or_else(|| Error::ProjectNotFound(id.to_owned()))
    }

    /// Who is not signed in yet reaches no row: the service looks for them, in their project.
    pub(crate) fn itself(of: &impl HasContext) -> Context {
        of.context().as_service(NAME)
    }

    /// Microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.store.clock().now_micros()
    }
}
