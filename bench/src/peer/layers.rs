//! A service of the mesh that has nothing to do, behind every layer: what calls of the mesh are measured with.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Result, ensure};
use futures_util::Stream;
use mesh::caller::DEFAULT_PROJECT;
use mesh::identity::{Claims, TokenKind};
use mesh::limits::Limits;
use mesh::serve::Config;
use mesh::service_token::ServiceKey;
use mesh::signing::SigningKey;
use mesh::trust::{Snapshot, TrustSource};
use mesh::{CancellationToken, Channel, Clock, Mesh, Request, Response, Status, async_trait};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tradewind::notifications::v1::notifications_service_server::{
    NotificationsService, NotificationsServiceServer,
};
use tradewind::notifications::v1::{
    CountMailsRequest, CountMailsResponse, ListMailsRequest, ListMailsResponse, Notification,
    WatchNotificationsRequest,
};

use crate::rpc::with_token;

/// Whose contract is answered.
pub(crate) const SERVICE: &str = "notifications";
pub(crate) const CALLER: &str = "usr_bench";
const KEY_ID: &str = "bench";

/// A mesh that knows where other services are, and what it shows to them.
pub(crate) fn mesh(
    elsewhere: HashMap<&'static str, String>,
    service_key: Option<ServiceKey>,
) -> Result<Mesh> {
    Ok(Mesh::new(mesh::Config {
        roles: tradewind::roles::roles(),
        elsewhere,
        service_key: service_key.map(Arc::new),
        // One caller makes all calls; the layer that limits calls at once is there, as every other.
        limits: Limits { at_once: Limits::default().at_once, ..Limits::unlimited() },
        ..mesh::Config::new("gateway", vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS])
    })?)
}

/// Runs the service in a mesh that believes tokens of a key.
pub(crate) fn run(mesh: &Mesh, key: &SigningKey, stop: &CancellationToken) -> Result<()> {
    mesh.trust().ask(Arc::new(OneKey { public: key.public().to_owned() }));
    let service = mesh::Service::new(SERVICE).answer(NotificationsServiceServer::new(Answers));
    mesh.run(vec![service], stop, &TaskTracker::new())?;
    Ok(())
}

/// A token of a user, for a day.
pub(crate) fn token(key: &SigningKey) -> Result<String> {
    let now = Clock::system().now_micros() / 1_000_000;
    let claims = Claims {
        sub: CALLER.into(),
        project: DEFAULT_PROJECT.into(),
        kind: TokenKind::User,
        roles: vec!["merchant".into()],
        sid: "ses_bench".into(),
        jti: "tok_bench".into(),
        iat: now,
        exp: now + 86_400,
    };
    Ok(key.sign(Some(KEY_ID), &claims)?)
}

/// Serves it to other processes, which show that they hold a key, until this process is ended.
pub(crate) async fn serve(listener: TcpListener, key: &Path) -> Result<()> {
    let (mesh, stop) =
        (mesh(HashMap::new(), Some(ServiceKey::open(key)?))?, CancellationToken::new());
    run(&mesh, &SigningKey::from_pem(&std::fs::read(key)?)?, &stop)?;
    let ended = mesh::serve::grpc(listener, mesh, Config::mesh(), stop).await;
    ensure!(ended == mesh::serve::Ended::Clean, "some calls were cut off");
    Ok(())
}

/// The way of another process to it, for a user.
pub(crate) fn far(address: SocketAddr, key: &Path) -> Result<Channel> {
    let elsewhere = HashMap::from([(SERVICE, format!("http://{address}"))]);
    let mesh = mesh(elsewhere, Some(ServiceKey::open(key)?))?;
    with_token(mesh.channel(SERVICE), &token(&SigningKey::from_pem(&std::fs::read(key)?)?)?)
}

struct OneKey {
    public: String,
}

#[async_trait]
impl TrustSource for OneKey {
    async fn fetch(&self) -> Result<Snapshot, Status> {
        let keys = vec![(KEY_ID.to_owned(), self.public.clone())];
        Ok(Snapshot { keys, ended_sessions: Vec::new() })
    }
}

/// A service that has nothing to do.
pub(crate) struct Answers;

#[async_trait]
impl NotificationsService for Answers {
    async fn count_mails(
        &self,
        _request: Request<CountMailsRequest>,
    ) -> Result<Response<CountMailsResponse>, Status> {
        Ok(Response::new(CountMailsResponse::default()))
    }

    async fn list_mails(
        &self,
        request: Request<ListMailsRequest>,
    ) -> Result<Response<ListMailsResponse>, Status> {
        let next_page_token = request.into_inner().page_token;
        Ok(Response::new(ListMailsResponse { mails: Vec::new(), next_page_token }))
    }

    type WatchNotificationsStream =
        Pin<Box<dyn Stream<Item = Result<Notification, Status>> + Send>>;

    async fn watch_notifications(
        &self,
        _request: Request<WatchNotificationsRequest>,
    ) -> Result<Response<Self::WatchNotificationsStream>, Status> {
        Ok(Response::new(Box::pin(futures_util::stream::empty())))
    }
}
