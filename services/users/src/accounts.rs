//! Accounts: made, logged in to, given roles.

use mesh::{Context, HasContext};
use store::Tx;
use tradewind::users::v1::user::Status;
use tradewind::users::v1::{Tokens, User};

use crate::error::Error;
use crate::login_failures::{self, Rule};
use crate::session::Holder;
use crate::users::Users;
use crate::{roles, store as sql};

/// An account to be made.
pub(crate) struct NewAccount {
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) display_name: String,
    pub(crate) roles: Vec<String>,
}

impl NewAccount {
    /// The same account, with its address and its roles as they are kept.
    pub(crate) fn normalized(self) -> Self {
        Self { email: normalized(&self.email), roles: roles::in_order(self.roles), ..self }
    }
}

/// Who tries to log in.
pub(crate) struct Login {
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Users {
    /// Makes an account, and begins a session of it.
    pub(crate) async fn register(
        &self,
        context: &Context,
        account: NewAccount,
    ) -> Result<Tokens, Error> {
        let place = self.passwords.place()?;
        self.project(context).await?;
        let account = account.normalized();
        let hash = self.passwords.hash(place, account.password.clone()).await?;
        let signer = self.keys.signer().await?;

        let mut tx = self.store.begin_for(&Self::itself(context)).await?;
        let user = self.add_account(&mut tx, account, &hash).await?;
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
        hash: &str,
    ) -> Result<User, Error> {
        let mut user = User {
            email: account.email,
            display_name: account.display_name,
            roles: account.roles,
            ..User::default()
        };
        user.set_status(Status::Active);
        let user = tx.insert(user).await.map_err(or_email_taken)?;
        sql::keep_password(tx, &user.id, hash, self.now()).await?;
        Ok(user)
    }

    /// Begins a session of an account. The steps are the same whether there is one or not.
    pub(crate) async fn log_in(&self, context: &Context, login: Login) -> Result<Tokens, Error> {
        let place = self.passwords.place()?;
        self.begin().await?;
        let context = Self::itself(context);
        let email = normalized(&login.email);
        let account = login_failures::account(&email);
        self.count_attempt(&context, &account).await?;

        let known = sql::credential(&self.store.read(&context), &email).await?;
        let (user_id, hash) = known.unzip();
        let checked = self.passwords.check(place, login.password, hash.clone()).await?;
        let (Some(user_id), Some(hash), true) = (user_id, hash, checked.is_right) else {
            self.count_failure(&context).await?;
            return Err(Error::InvalidCredentials);
        };

        let signer = self.keys.signer().await?;
        let mut tx = self.store.begin_for(&context).await?;
        // Held: a change of roles and a login are one after the other.
        let user: User = tx.get(&user_id).await?;
        if user.status() != Status::Active {
            return Err(Error::Suspended);
        }
        if let Some(renewed) = checked.renewed {
            sql::renew_password(&mut tx, &user_id, &hash, &renewed, self.now()).await?;
        }
        sql::forget_failures(&mut tx, &account).await?;
        let holder = Holder::User { id: user.id, roles: user.roles };
        let tokens = self.begin_session(&mut tx, &signer, &holder).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    /// Counts a login as failed before it is tried, so that many at once get no further than one
    /// after another; one that succeeds forgets the count.
    async fn count_attempt(&self, context: &Context, account: &str) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.store.begin_for(context).await?;
        let count = sql::lock_failures(&mut tx, account).await?;
        let of_address = match context.address() {
            Some(address) => sql::failures(&mut tx, &login_failures::address(address)).await?,
            None => login_failures::Count::default(),
        };
        if let Some(wait) = count.wait(now).max(of_address.wait(now)) {
            return Err(Error::TooManyFailures(wait));
        }
        let count = Rule::of_account(&self.config.throttle).failed(count, now);
        sql::write_failures(&mut tx, account, count).await?;
        Ok(tx.commit().await?)
    }

    /// Counts a failure of a network address. Not in advance: many may log in from one at once.
    async fn count_failure(&self, context: &Context) -> Result<(), Error> {
        let Some(address) = context.address().map(login_failures::address) else { return Ok(()) };
        let mut tx = self.store.begin_for(context).await?;
        let count = sql::lock_failures(&mut tx, &address).await?;
        let count = Rule::of_address(&self.config.throttle).failed(count, self.now());
        sql::write_failures(&mut tx, &address, count).await?;
        Ok(tx.commit().await?)
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
fn normalized(email: &str) -> String {
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
