//! How commands reach a running mesh: by gRPC at its gateway, signed in.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use mesh::{Channel, Status};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::transport::Endpoint;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};
use tradewind::users::v1::LogInRequest;
use tradewind::users::v1::users_service_client::UsersServiceClient;

/// Where a mesh is, and who speaks to it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Account {
    /// The account that the command works as.
    #[arg(long, env = "TRADEWIND_EMAIL", default_value = crate::demo::ADMIN_EMAIL)]
    pub(crate) email: String,
    /// Its password.
    #[arg(long, env = "TRADEWIND_PASSWORD", hide_env_values = true, default_value = crate::demo::ADMIN_PASSWORD)]
    pub(crate) password: String,
}

/// A channel to a gateway, for nobody.
pub(crate) async fn open(url: &str) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("`{url}` is not like http://127.0.0.1:8080"))?;
    let channel =
        endpoint.tcp_nodelay(true).connect().await.with_context(|| {
            format!("there is no mesh at {url}; start one with `tradewind serve`")
        })?;
    Ok(BoxCloneSyncService::new(channel.map_err(|error| Status::from_error(Box::new(error)))))
}

/// The same channel, with an access token.
pub(crate) fn with_token(channel: Channel, token: &str) -> Channel {
    let authorization: Arc<str> = format!("Bearer {token}").into();
    BoxCloneSyncService::new(service_fn(move |mut request: http::Request<Body>| {
        let channel = channel.clone();
        // A token is visible ASCII, as its issuer made it.
        if let Ok(value) = http::HeaderValue::try_from(&*authorization) {
            request.headers_mut().insert(http::header::AUTHORIZATION, value);
        }
        channel.oneshot(request)
    }))
}

/// The same channel, signed in.
pub(crate) async fn sign_in(channel: Channel, account: &Account) -> Result<Channel> {
    let request = LogInRequest { email: account.email.clone(), password: account.password.clone() };
    let tokens = UsersServiceClient::new(channel.clone())
        .log_in(request)
        .await
        .map_err(said)
        .with_context(|| format!("{} cannot sign in", account.email))?;
    Ok(with_token(channel, &tokens.into_inner().access_token))
}

/// A refused call, as people read it.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
pub(crate) fn said(status: Status) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", mesh::metrics::status_name(status.code()), status.message())
}
