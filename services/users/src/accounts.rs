//! Accounts: made, and given roles.

use mesh::{Context, HasContext};
use store::Tx;
use tradewind::users::v1::user::Status;
use tradewind::users::v1::{Tokens, User};

use crate::error::Error;
use crate::password::NewPassword;
use crate::session::Holder;
use crate::users::Users;
use crate::{roles, store as sql};

/// An account to be made.
pub(crate) struct NewAccount {
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) roles: Vec<String>,
}

impl NewAccount {
    /// The administrator of a new project.
    pub(crate) fn administrator(email: &str) -> Self {
        let roles = roles::ADMINISTRATOR.map(str::to_owned).to_vec();
        Self { email: normalized(email), display_name: String::new(), roles }
    }

    /// The same account, with its address and its roles as they are kept.
    pub(crate) fn normalized(self) -> Self {
        Self { email: normalized(&self.email), roles: roles::in_order(self.roles), ..self }
    }
}

impl Users {
    /// Makes an account, and begins a session of it.
    pub(crate) async fn register(
        &self,
        context: &Context,
        account: NewAccount,
        password: String,
    ) -> Result<Tokens, Error> {
        let place = self.passwords.place()?;
        self.project(context).await?;
        let account = account.normalized();
        let hash = self.passwords.hash(place, password).await?;
        let signer = self.keys.signer().await?;

        let mut tx = self.store.begin_for(&Self::itself(context)).await?;
        let user = self.add_account(&mut tx, account, &NewPassword::chosen(hash)).await?;
        let holder = Holder::User { id: user.id, roles: user.roles };
        let tokens = self.begin_session(&mut tx, &signer, &holder).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    /// Adds an account whose password was hashed.
    pub(crate) async fn add_account(
        &self,
        tx: &mut Tx,
        account: NewAccount,
        password: &NewPassword,
    ) -> Result<User, Error> {
        let mut user = User {
            email: account.email,
            display_name: account.display_name,
            roles: account.roles,
            ..User::default()
        };
        user.set_status(Status::Active);
        let user = tx.insert(user).await.map_err(or_email_taken)?;
        sql::keep_password(tx, &user.id, password, self.now()).await?;
        Ok(user)
    }

    /// Gives a user other roles; their sessions end, since tokens say the old ones.
    pub(crate) async fn set_roles(
        &self,
        context: &Context,
        id: &str,
        shall: Vec<String>,
    ) -> Result<User, Error> {
        let own = self.roles_of_caller(context).await?;
        let shall = roles::in_order(shall);

        let mut tx = self.store.begin_for(context).await?;
        let was: User = tx.get(id).await?;
        // A service acts for the mesh, not for itself.
        if !context.caller.is_service() {
            roles::check(&own, &was.roles, &shall)?;
        }
        if was.roles == shall {
            return Ok(was);
        }
        let user = tx.update(&User { roles: shall, ..was }).await?;
        let ended = self.end_sessions(&mut tx, id).await?;
        tx.commit().await?;
        self.tell_ended(&ended);
        Ok(user)
    }

    /// What the caller holds now, whatever their token says.
    async fn roles_of_caller(&self, context: &Context) -> Result<Vec<String>, Error> {
        let Some(id) = context.caller.subject() else { return Ok(Vec::new()) };
        let user: Option<User> = self.store.read(context).find(id).await?;
        Ok(user.map(|user| user.roles).unwrap_or_default())
    }

    /// The caller's own account.
    pub(crate) async fn me(&self, of: &impl HasContext) -> Result<User, Error> {
        let id = of.context().caller.subject().ok_or(Error::NoAccount)?;
        self.store.read(of).find(id).await?.ok_or(Error::NoAccount)
    }
}

/// An address as it is kept: people do not remember how they wrote it.
pub(crate) fn normalized(email: &str) -> String {
    email.trim().to_lowercase()
}

fn or_email_taken(error: store::Error) -> Error {
    match error {
        store::Error::AlreadyExists { columns, .. } if columns.iter().any(|it| it == "email") => {
            Error::EmailTaken
        }
        error => error.into(),
    }
}
