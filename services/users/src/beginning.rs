//! What must be there before the first call: projects, an administrator, a key.

use mesh::caller::DEFAULT_PROJECT;
use mesh::{Caller, Context};
use tradewind::users::v1::Project;

use crate::accounts::NewAccount;
use crate::config::{Bootstrap, FirstPassword};
use crate::error::Error;
use crate::password::NewPassword;
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
            display_name: String::new(),
            roles: roles::FIRST_ADMINISTRATOR.map(str::to_owned).to_vec(),
        }
        .normalized();
        let known = sql::credential(&self.store.read(&context), &account.email).await?;
        match (&bootstrap.password, known) {
            (FirstPassword::Given(_), Some(_)) => Ok(()),
            (FirstPassword::Given(password), None) => {
                let place = self.passwords.place()?;
                let hash = self.passwords.hash(place, password.clone()).await?;
                self.make_administrator(&context, account, &NewPassword::chosen(hash)).await?;
                Ok(())
            }
            (FirstPassword::OneTime(_), Some(known)) if known.one_time_until.is_none() => Ok(()),
            (FirstPassword::OneTime(tell), known) => {
                let password = self.one_time_password().await?;
                let kept = &password.kept;
                let is_good = match known {
                    None => self.make_administrator(&context, account, kept).await?,
                    Some(_) => self.renew_administrator(&context, &account.email, kept).await?,
                };
                if is_good {
                    tell(&password.said);
                }
                Ok(())
            }
        }
    }

    /// Whether this replica was the one that made the account.
    async fn make_administrator(
        &self,
        context: &Context,
        account: NewAccount,
        password: &NewPassword,
    ) -> Result<bool, Error> {
        let mut tx = self.store.begin_for(context).await?;
        match self.add_account(&mut tx, account, password).await {
            Ok(user) => {
                tx.commit().await?;
                tracing::info!(user = user.id, "made the first administrator");
                Ok(true)
            }
            // Another replica was first.
            Err(Error::EmailTaken) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn renew_administrator(
        &self,
        context: &Context,
        email: &str,
        password: &NewPassword,
    ) -> Result<bool, Error> {
        let mut tx = self.store.begin_for(context).await?;
        let renewed = self.unused_administrator(&mut tx, email, password).await?.is_some();
        tx.commit().await?;
        Ok(renewed)
    }
}

fn context(project: &str) -> Context {
    let caller = Caller::service(NAME, project, None);
    Context::new(caller, "users.begin", mesh::Trace::current())
}
