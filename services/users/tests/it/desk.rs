//! A mesh with users in it, and the ways to ask them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harness::{Engine, Harness, Part};
use mesh::trust::{Snapshot, TrustSource};
use mesh::{Channel, Code, Context, Mesh, Outgoing, Peer, Request, Status, async_trait};
use tonic_types::StatusExt;
use tradewind::users::v1::users_service_client::UsersServiceClient;
use tradewind::users::v1::{
    GetMeRequest, GetTrustRequest, LogInRequest, RefreshSessionRequest, RegisterRequest, Tokens,
    User,
};
use users::{Bootstrap, Config, FirstPassword, Hashing};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ADMIN: &str = "admin@example.com";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// As users are by default, with passwords that cost little.
pub(crate) fn config() -> Config {
    Config {
        bootstrap: Some(Bootstrap {
            email: ADMIN.into(),
            password: FirstPassword::Given(PASSWORD.into()),
            project: "default".into(),
        }),
        hashing: Hashing { memory_kib: 8, passes: 1, lanes: 1, threads: 2, queue: 64 },
        ..Config::default()
    }
}

pub(crate) async fn start(engine: Engine) -> Harness {
    start_with(engine, config()).await
}

pub(crate) async fn start_with(engine: Engine, config: Config) -> Harness {
    let h = Harness::start(engine, vec![part(config)]).await;
    trust(&h.mesh, h.as_service("test", None));
    h
}

pub(crate) fn part(config: Config) -> Part {
    harness::part(users::NAME, users::MIGRATIONS, users::CONSUMES, move |store, mesh| {
        users::service(config, store, mesh)
    })
}

/// Lets a mesh ask users which tokens to trust, as a process does.
pub(crate) fn trust(mesh: &Mesh, service: Context) {
    mesh.trust().ask(Arc::new(Asked { peer: mesh.peer("test", users::NAME), service }));
}

struct Asked {
    peer: Peer,
    service: Context,
}

#[async_trait]
impl TrustSource for Asked {
    async fn fetch(&self) -> Result<Snapshot, Status> {
        let mut users = UsersServiceClient::new(self.peer.of(&self.service));
        let trust = users.get_trust(GetTrustRequest {}).await?.into_inner();
        let keys = trust.keys.into_iter().map(|key| (key.kid, key.x)).collect();
        Ok(Snapshot { keys, ended_sessions: trust.ended_session_ids })
    }
}

/// Users, asked by a caller who is known.
pub(crate) fn of(h: &Harness, context: &Context) -> UsersServiceClient<Outgoing> {
    UsersServiceClient::new(h.peer(users::NAME).of(context))
}

/// Users, asked by whoever the request's own credential shows.
pub(crate) fn open(mesh: &Mesh) -> UsersServiceClient<Channel> {
    UsersServiceClient::new(mesh.channel(users::NAME))
}

/// A request with an access token.
pub(crate) fn bearing<T>(message: T, token: &str) -> Request<T> {
    with(message, "authorization", &format!("Bearer {token}"))
}

/// A request of nobody in a project.
pub(crate) fn in_project<T>(message: T, project: &str) -> Request<T> {
    with(message, "tradewind-key", &format!("tw_pub_{project}"))
}

fn with<T>(message: T, name: &'static str, value: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(name, value.parse().unwrap());
    request
}

/// A request from a network address.
pub(crate) fn from<T>(message: T, address: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(SocketAddr::new(address.parse().unwrap(), 4711));
    request
}

pub(crate) fn registration(email: &str) -> RegisterRequest {
    RegisterRequest { email: email.into(), password: PASSWORD.into(), display_name: "Ada".into() }
}

pub(crate) fn login(email: &str, password: &str) -> LogInRequest {
    LogInRequest { email: email.into(), password: password.into() }
}

pub(crate) async fn register(h: &Harness, email: &str) -> Tokens {
    of(h, &h.nobody()).register(registration(email)).await.unwrap().into_inner()
}

pub(crate) async fn log_in(h: &Harness, email: &str, password: &str) -> Result<Tokens, Status> {
    Ok(of(h, &h.nobody()).log_in(login(email, password)).await?.into_inner())
}

pub(crate) async fn refresh(h: &Harness, token: &str) -> Result<Tokens, Status> {
    let request = RefreshSessionRequest { refresh_token: token.into() };
    Ok(of(h, &h.nobody()).refresh_session(request).await?.into_inner())
}

/// The account that an access token shows to the layers of the mesh.
pub(crate) async fn me(mesh: &Mesh, access_token: &str) -> Result<User, Status> {
    Ok(open(mesh).get_me(bearing(GetMeRequest {}, access_token)).await?.into_inner())
}

/// The code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    let reason = status.get_details_error_info().map(|info| info.reason);
    (status.code(), reason.unwrap_or_default())
}

/// A refusal, as tests compare it.
pub(crate) fn refused(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}
