//! Calls within one process: through every layer, and bare, of the same service.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use futures_util::Stream;
use mesh::caller::DEFAULT_PROJECT;
use mesh::identity::{Claims, TokenKind};
use mesh::limits::Limits;
use mesh::signing::SigningKey;
use mesh::telemetry::{self, LogFormat, Otlp};
use mesh::trust::{Snapshot, TrustSource};
use mesh::{
    Caller, CancellationToken, Channel, Clock, Context, Mesh, Outgoing, Principal, Request,
    Response, Status, async_trait,
};
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::client::GrpcService;
use tradewind::notifications::v1::notifications_service_client::NotificationsServiceClient;
use tradewind::notifications::v1::notifications_service_server::{
    NotificationsService, NotificationsServiceServer,
};
use tradewind::notifications::v1::{
    ListMailsRequest, ListMailsResponse, Notification, WatchNotificationsRequest,
};

use crate::rpc::{BoxError, said, with_token};

/// Whose contract is answered.
const SERVICE: &str = "notifications";
const CALLER: &str = "usr_bench";
const KEY_ID: &str = "bench";
/// Calls between looks at the time.
const BATCH: u32 = 256;

/// How the calls are measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where spans go; without, no trace is kept.
    #[arg(long)]
    otlp: Option<String>,
    #[arg(long)]
    rounds: usize,
    #[arg(long)]
    seconds: f64,
}

/// Prints, for each round, the microseconds of a bare call, of one between services, and of one from the edge.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let telemetry = telemetry::start(&telemetry::Config {
        filter: "warn".into(),
        format: LogFormat::Human,
        sample: if arguments.otlp.is_some() { 0.1 } else { 0.0 },
        otlp: arguments.otlp.map(Otlp::all_to),
        name: "bench".into(),
    })?;
    let window = Duration::from_secs_f64(arguments.seconds);
    let near = Near::start()?;
    // On a worker, as calls are made in a server: from outside, each would have to wake one first.
    tokio::spawn(async move { near.rounds(arguments.rounds, window).await }).await??;
    // It blocks while it sends what is left.
    tokio::task::spawn_blocking(move || drop(telemetry)).await?;
    Ok(())
}

/// The time of one call when one follows the other, in microseconds.
async fn micros<F>(window: Duration, mut call: impl FnMut() -> F) -> Result<f64>
where
    F: Future<Output = Result<()>>,
{
    per_call(window / 4, &mut call).await?;
    per_call(window, &mut call).await
}

async fn per_call<F>(window: Duration, call: &mut impl FnMut() -> F) -> Result<f64>
where
    F: Future<Output = Result<()>>,
{
    let (began, mut calls) = (Instant::now(), 0_u32);
    while began.elapsed() < window {
        for _ in 0..BATCH {
            call().await?;
        }
        calls += BATCH;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

async fn ask<T>(service: T) -> Result<()>
where
    T: GrpcService<Body>,
    T::Error: Into<BoxError>,
    T::ResponseBody: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    let page_token = "what comes back as it was sent".to_owned();
    let request = ListMailsRequest { page_token, ..ListMailsRequest::default() };
    NotificationsServiceClient::new(service).list_mails(request).await.map_err(said)?;
    Ok(())
}

/// A mesh of this process, with one service that answers at once.
struct Near {
    mesh: Mesh,
    token: String,
    stop: CancellationToken,
}

impl Near {
    fn start() -> Result<Self> {
        let clock = Clock::system();
        let most = NonZeroU32::MAX;
        let mesh = Mesh::new(mesh::Config {
            descriptors: vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS],
            roles: tradewind::roles::roles(),
            elsewhere: HashMap::new(),
            calls: mesh::Configs::default(),
            subscriptions: HashMap::new(),
            service_key: None,
            identities: None,
            callers: mesh::Callers::default(),
            limits: Limits {
                reads_per_second: most,
                writes_per_second: most,
                credentials_per_minute: most,
                ..Limits::default()
            },
            clock: clock.clone(),
            process: "gateway",
        })?;
        let key = SigningKey::from_der(&SigningKey::generate()?)?;
        mesh.trust().ask(Arc::new(OneKey { public: key.public().to_owned() }));
        let now = clock.now_micros() / 1_000_000;
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
        let token = key.sign(Some(KEY_ID), &claims)?;
        let stop = CancellationToken::new();
        let answers = NotificationsServiceServer::new(Answers);
        let service = mesh::Service::new(SERVICE).answer(answers);
        mesh.run(vec![service], &stop, &TaskTracker::new())?;
        Ok(Self { mesh, token, stop })
    }

    /// Measures each way in turn, again and again.
    async fn rounds(self, rounds: usize, window: Duration) -> Result<()> {
        for _ in 0..rounds {
            let bare = NotificationsServiceServer::new(Answers);
            let bare = micros(window, || ask(bare.clone())).await?;
            let between = self.between_services();
            let between = micros(window, || ask(between.clone())).await?;
            let edge = self.at_the_edge()?;
            let edge = micros(window, || ask(edge.clone())).await?;
            crate::say(&format!("{bare} {between} {edge}"));
        }
        self.stop.cancel();
        Ok(())
    }

    /// As the gateway calls for someone signed in: the token is checked, and the call counted.
    fn at_the_edge(&self) -> Result<Channel> {
        with_token(self.mesh.channel(SERVICE), &self.token)
    }

    /// As a service calls another for the caller of its own request.
    fn between_services(&self) -> Outgoing {
        let permissions = tradewind::roles::roles().remove("merchant").unwrap_or_default();
        let principal = Principal::User { id: CALLER.into(), session: "ses_bench".into() };
        let caller = Caller::new(principal, DEFAULT_PROJECT, Arc::new(permissions));
        let context = Context::new(caller, "bench", tracing::Span::none());
        self.mesh.peer("bench", SERVICE).of(&context)
    }
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
struct Answers;

#[async_trait]
impl NotificationsService for Answers {
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
