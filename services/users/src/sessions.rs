//! Sessions: begun, gone on with, ended.

use mesh::{Context, HasContext, Principal, clock};
use store::Tx;
use tradewind::users::v1::user::Status;
use tradewind::users::v1::{Session, Tokens, User};

use crate::error::Error;
use crate::keys::{Signer, longest_token};
use crate::session::{self, Holder, micros};
use crate::users::Users;
use crate::{store as sql, token};

impl Users {
    /// Begins a session of a customer without an account.
    pub(crate) async fn start_guest(&self, context: &Context) -> Result<Tokens, Error> {
        self.project(context).await?;
        let signer = self.keys.signer().await?;
        let holder = Holder::Guest { id: self.store.ids().next("gst") };

        let mut tx = self.store.begin_for(&Self::itself(context)).await?;
        let tokens = self.begin_session(&mut tx, &signer, &holder).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    /// Begins a session in a transaction.
    pub(crate) async fn begin_session(
        &self,
        tx: &mut Tx,
        signer: &Signer,
        holder: &Holder,
    ) -> Result<Tokens, Error> {
        let address = tx.context().address().unwrap_or_default().to_owned();
        let begun = session::begun(holder, &address, self.now(), &self.config.lifetimes);
        let session = tx.insert(begun).await?;
        self.next_tokens(tx, signer, &session, holder).await
    }

    /// Gives new tokens for a refresh token, which is spent by that.
    pub(crate) async fn refresh(&self, context: &Context, token: &str) -> Result<Tokens, Error> {
        let signer = self.keys.signer().await?;
        let (hash, now) = (token::digest(token), self.now());

        let mut tx = self.store.begin_for(&Self::itself(context)).await?;
        let Some(session_id) = sql::spend_refresh_token(&mut tx, &hash, now).await? else {
            self.end_if_spent(tx, &hash).await?;
            return Err(Error::InvalidRefreshToken);
        };
        let session: Session = tx.get(&session_id).await?;
        if !session::is_good(&session, now) {
            return Err(Error::InvalidRefreshToken);
        }
        let holder = holder_of(&mut tx, &session).await?;
        let session = session::refreshed(session, now, &self.config.lifetimes);
        let session = tx.update(&session).await?;
        let tokens = self.next_tokens(&mut tx, &signer, &session, &holder).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    /// Ends the session of a spent token: whoever has it, its thief or its owner has the next one.
    async fn end_if_spent(&self, mut tx: Tx, hash: &[u8]) -> Result<(), Error> {
        let Some(id) = sql::session_of_refresh_token(&mut tx, hash).await? else { return Ok(()) };
        let session: Session = tx.get(&id).await?;
        tx.update(&session::ended(session, self.now())).await?;
        tx.commit().await?;
        tracing::warn!(session = id, "a spent refresh token came again; its session is ended");
        self.tell_ended(&[id]);
        Ok(())
    }

    /// Ends the caller's session, or all of theirs.
    pub(crate) async fn log_out(&self, context: &Context, everywhere: bool) -> Result<(), Error> {
        let caller = &context.caller;
        let Some(subject) = caller.subject() else { return Ok(()) };
        let mut tx = self.store.begin_for(context).await?;
        let ended = match caller.principal() {
            Principal::User { session, .. } if !everywhere => {
                self.end_session(&mut tx, session).await?
            }
            // A guest has one session, and is known by it alone.
            Principal::User { .. }
            | Principal::Guest { .. }
            | Principal::Service { .. }
            | Principal::Nobody => self.end_sessions(&mut tx, subject).await?,
        };
        tx.commit().await?;
        self.tell_ended(&ended);
        Ok(())
    }

    async fn end_session(&self, tx: &mut Tx, id: &str) -> Result<Vec<String>, Error> {
        let Some(session) = tx.find::<Session>(id).await? else { return Ok(Vec::new()) };
        tx.update(&session::ended(session, self.now())).await?;
        Ok(vec![id.to_owned()])
    }

    /// Ends every session of a user or guest; their ids, to be told once this is committed.
    pub(crate) async fn end_sessions(
        &self,
        tx: &mut Tx,
        user_id: &str,
    ) -> Result<Vec<String>, Error> {
        let etag = self.store.ids().next("etag");
        Ok(sql::end_sessions(tx, user_id, &etag, self.now()).await?)
    }

    /// Lets this process know at once; the others ask every few seconds.
    pub(crate) fn tell_ended(&self, sessions: &[String]) {
        for session in sessions {
            self.trust.end_session(session);
        }
    }

    /// Sessions that ended while an access token of theirs may be good.
    pub(crate) async fn ended_sessions(&self, of: &impl HasContext) -> Result<Vec<String>, Error> {
        let after = self.now() - micros(longest_token(&self.config.lifetimes));
        Ok(sql::ended_sessions(&self.store.read(of), after).await?)
    }

    async fn next_tokens(
        &self,
        tx: &mut Tx,
        signer: &Signer,
        session: &Session,
        holder: &Holder,
    ) -> Result<Tokens, Error> {
        let now = self.now();
        let jti = self.store.ids().next("tok");
        let project = tx.context().caller.project();
        let claims = token::claims(session, holder, project, jti, now, &self.config.lifetimes);
        let access_token = signer.sign(&claims)?;
        let refresh_token = token::refresh();
        let hash = token::digest(&refresh_token);
        sql::keep_refresh_token(tx, hash, &session.id, now).await?;
        Ok(Tokens {
            access_token,
            expire_time: Some(clock::timestamp(claims.exp.saturating_mul(1_000_000))),
            refresh_token,
            subject: claims.sub,
        })
    }
}

/// Whose session it is, with the roles of today.
async fn holder_of(tx: &mut Tx, session: &Session) -> Result<Holder, Error> {
    let id = session.user_id.clone();
    if session.guest {
        return Ok(Holder::Guest { id });
    }
    // Not held, lest it waits for a change of roles that waits for the session: that one ends it.
    let user = tx.select::<User>("id = $2").bind(&id).fetch_optional().await?;
    match user.filter(|user| user.status() == Status::Active) {
        Some(user) => Ok(Holder::User { id, roles: user.roles }),
        None => Err(Error::InvalidRefreshToken),
    }
}
