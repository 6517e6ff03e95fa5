//! Access tokens, refreshed before they end.

use std::sync::Arc;
use std::time::Duration;

use mesh::{Clock, Status, async_trait, clock};
use tokio::sync::Mutex;
use tradewind::users::v1::{
    LogInRequest, LogOutRequest, RefreshSessionRequest, StartGuestSessionRequest, Tokens,
};

use crate::client::Client;

/// A token is refreshed when less is left of it: a call that it goes out with may take as long.
const MARGIN: Duration = Duration::from_secs(30);

/// Where the access token of each call comes from.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token that is good now.
    async fn token(&self) -> Result<Arc<str>, Status>;
}

/// A session that lives as long as the program: its tokens are kept in memory.
pub struct Session {
    anyone: Client,
    tokens: Mutex<Tokens>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Begins a session of an account.
    pub async fn log_in(client: &Client, email: &str, password: &str) -> Result<Self, Status> {
        let request = LogInRequest { email: email.to_owned(), password: password.to_owned() };
        let anyone = client.signed_out();
        let tokens = anyone.users().log_in(request).await?.into_inner();
        Ok(Self::of(&anyone, tokens))
    }

    /// Begins a session of a customer without an account.
    pub async fn guest(client: &Client) -> Result<Self, Status> {
        let anyone = client.signed_out();
        let tokens = anyone.users().start_guest_session(StartGuestSessionRequest {}).await?;
        Ok(Self::of(&anyone, tokens.into_inner()))
    }

    /// Goes on with a session that was begun elsewhere, such as by a registration.
    #[must_use]
    pub fn of(client: &Client, tokens: Tokens) -> Self {
        Self { anyone: client.signed_out(), tokens: Mutex::new(tokens) }
    }

    /// Ends the session, here and at the mesh.
    pub async fn log_out(self) -> Result<(), Status> {
        let client = self.anyone.clone().signed_in(Arc::new(self));
        client.users().log_out(LogOutRequest { everywhere: false }).await.map(|_| ())
    }
}

#[async_trait]
impl TokenSource for Session {
    async fn token(&self) -> Result<Arc<str>, Status> {
        // Held while it is refreshed: a refresh token is good once, whoever comes first.
        let mut tokens = self.tokens.lock().await;
        if is_ending(&tokens, &self.anyone.clock) {
            *tokens = refreshed(&self.anyone, &tokens).await?;
        }
        Ok(tokens.access_token.as_str().into())
    }
}

/// Whether an access token is too near to its end to be sent.
#[must_use]
pub fn is_ending(tokens: &Tokens, now: &Clock) -> bool {
    let ends = tokens.expire_time.as_ref().map_or(0, clock::micros);
    let margin = i64::try_from(MARGIN.as_micros()).unwrap_or(i64::MAX);
    ends.saturating_sub(margin) <= now.now_micros()
}

/// The next tokens of a session; its refresh token is spent.
pub async fn refreshed(anyone: &Client, tokens: &Tokens) -> Result<Tokens, Status> {
    let request = RefreshSessionRequest { refresh_token: tokens.refresh_token.clone() };
    let anyone = anyone.signed_out();
    Ok(anyone.users().refresh_session(request).await?.into_inner())
}
