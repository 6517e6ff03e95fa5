//! What must be there before the first call: projects, an administrator, a key.

use mesh::caller::DEFAULT_PROJECT;
use mesh::{Caller, Context};
use tradewind::users::v1::Project;

use crate::accounts::NewAccount;
use crate::config::Bootstrap;
use crate::error::Error;
use crate::users::Users;
use crate::{NAME, project, roles, store as sql};

impl Users {
    /// Makes what is missing, once in this process; every replica may try.
    pub(crate) async fn begin(&self) -> Result<(), Error> {
        // Boxed: it is rarely polled, and calls would carry its size.
        self.begun.get_or_try_init(|| Box::pin(self.make_what_is_missing())).await?;
        Ok(())
    }

    async fn make_what_is_missing(&self) -> Result<(), Error> {
        self.ensure_project(DEFAULT_PROJECT).await?;
        if let Some(bootstrap) = &self.config.bootstrap {
            self.ensure_project(&bootstrap.project).await?;
            self.ensure_administrator(bootstrap).await?;
        }
        self.keys.rotate().await
    }

    async fn ensure_project(&self, id: &str) -> Result<(), Error> {
        let context = context(id);
        if self.store.read(&context).find::<Project>(id).await?.is_some() {
            return Ok(());
        }
        let project = project::new(id, &self.config.project)?;
        let mut tx = self.store.begin_for(&context).await?;
        match tx.insert(project).await {
            Ok(_) => Ok(tx.commit().await?),
            // Another replica was first.
            Err(store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn ensure_administrator(&self, bootstrap: &Bootstrap) -> Result<(), Error> {
        let context = context(&bootstrap.project);
        let account = NewAccount {
            email: bootstrap.email.clone(),
            password: bootstrap.password.clone(),
            display_name: String::new(),
            roles: roles::FIRST_ADMINISTRATOR.map(str::to_owned).to_vec(),
        }
        .normalized();
        if sql::user_by_email(&self.store.read(&context), &account.email).await?.is_some() {
            return Ok(());
        }
        let hash = self.passwords.hash(self.passwords.place()?, account.password.clone()).await?;
        let mut tx = self.store.begin_for(&context).await?;
        match self.add_account(&mut tx, account, &hash).await {
            Ok(user) => {
                tx.commit().await?;
                tracing::info!(user = user.id, "made the first administrator");
                Ok(())
            }
            // Another replica was first.
            Err(Error::EmailTaken) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn context(project: &str) -> Context {
    let caller = Caller::service(NAME, project, None);
    Context::new(caller, "users.begin", tracing::Span::current())
}
