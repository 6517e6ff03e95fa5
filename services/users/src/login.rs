//! Passwords shown: to begin a session, or to be changed.

use mesh::Context;
use tradewind::users::v1::user::Status;
use tradewind::users::v1::{Tokens, User};

use crate::accounts::normalized;
use crate::error::Error;
use crate::login_failures::{self, Rule};
use crate::password::NewPassword;
use crate::session::Holder;
use crate::store::{self as sql, Credential};
use crate::users::Users;

/// Who tries to log in.
pub(crate) struct Login {
    pub(crate) email: String,
    pub(crate) password: String,
}

/// An account whose password was shown.
struct Shown {
    /// What its failures are counted under.
    account: String,
    credential: Credential,
    /// The hash to keep from now on, where the parameters have risen since.
    renewed: Option<String>,
}

impl Users {
    /// Begins a session of an account. The steps are the same whether there is one or not.
    pub(crate) async fn log_in(&self, context: &Context, login: Login) -> Result<Tokens, Error> {
        let context = Self::itself(context);
        let Shown { account, credential, renewed } = self.shown(&context, login).await?;
        if credential.one_time_until.is_some() {
            return Err(Error::PasswordMustChange);
        }

        let signer = self.keys.signer().await?;
        let mut tx = self.store.begin_for(&context).await?;
        // Held: a change of roles and a login are one after the other.
        let user: User = tx.get(&credential.user_id).await?;
        let user = active(user)?;
        if let Some(renewed) = renewed.map(NewPassword::chosen) {
            let Credential { user_id, hash, .. } = &credential;
            sql::change_password(&mut tx, user_id, hash, &renewed, self.now()).await?;
        }
        sql::forget_failures(&mut tx, &account).await?;
        let holder = Holder::User { id: user.id, roles: user.roles };
        let tokens = self.begin_session(&mut tx, &signer, &holder).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    /// Puts a new password in the place of one that is shown; every session ends, and one begins.
    pub(crate) async fn change_password(
        &self,
        context: &Context,
        login: Login,
        new: String,
    ) -> Result<Tokens, Error> {
        if login.password == new {
            return Err(Error::PasswordUnchanged);
        }
        let context = Self::itself(context);
        let Shown { account, credential, .. } = self.shown(&context, login).await?;
        let new = self.passwords.hash(self.passwords.place()?, new).await?;

        let signer = self.keys.signer().await?;
        let mut tx = self.store.begin_for(&context).await?;
        let user: User = tx.get(&credential.user_id).await?;
        let user = active(user)?;
        let (new, now) = (NewPassword::chosen(new), self.now());
        if !sql::change_password(&mut tx, &user.id, &credential.hash, &new, now).await? {
            // It was changed since it was shown.
            return Err(Error::InvalidCredentials);
        }
        sql::forget_failures(&mut tx, &account).await?;
        let ended = self.end_sessions(&mut tx, &user.id).await?;
        let holder = Holder::User { id: user.id, roles: user.roles };
        let tokens = self.begin_session(&mut tx, &signer, &holder).await?;
        tx.commit().await?;
        self.tell_ended(&ended);
        Ok(tokens)
    }

    /// The account whose password was shown, unless it was a one-time password of old.
    async fn shown(&self, context: &Context, login: Login) -> Result<Shown, Error> {
        let place = self.passwords.place()?;
        self.begin().await?;
        let email = normalized(&login.email);
        let account = login_failures::account(&email);
        self.count_attempt(context, &account).await?;

        let known = sql::credential(&self.store.read(context), &email).await?;
        let hash = known.as_ref().map(|known| known.hash.clone());
        let checked = self.passwords.check(place, login.password, hash).await?;
        let Some(credential) = known.filter(|_| checked.is_right) else {
            self.count_failure(context).await?;
            return Err(Error::InvalidCredentials);
        };
        if credential.one_time_until.is_some_and(|until| until <= self.now()) {
            return Err(Error::PasswordExpired);
        }
        Ok(Shown { account, credential, renewed: checked.renewed })
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
}

fn active(user: User) -> Result<User, Error> {
    if user.status() == Status::Active { Ok(user) } else { Err(Error::Suspended) }
}
