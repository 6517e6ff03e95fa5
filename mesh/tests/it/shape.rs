//! The two shapes of a mesh: a caller with the parrot in its own process, and with the parrot in another.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh::channel::Outgoing;
use mesh::limits::Limits;
use mesh::serve::{Config, Drain, Ended};
use mesh::service_token::ServiceKey;
use mesh::signing::SigningKey;
use mesh::{CancellationToken, Channel, Clock, Context, Mesh, Service};
use mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient;
use mesh_testing::parrot::v1::relay_service_client::RelayServiceClient;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tonic::Status;
use tower::service_fn;

use crate::parrot::{Parrot, Relay};
use crate::signer::Signer;

/// The time at which every test begins: 2026-01-01T00:00:00Z.
pub(crate) const BEGINNING: i64 = 1_767_225_600_000_000;

/// How far paused time goes at once.
const STEP: Duration = Duration::from_millis(4);

/// Where the parrot lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// In the caller's process.
    Near,
    /// In another process, behind a socket.
    Far,
}

impl Shape {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Near, Self::Far];

    /// A mesh of this shape, as it is by default.
    pub(crate) async fn start(self) -> World {
        self.start_with(Limits::default(), Drain::at_once()).await
    }

    pub(crate) async fn start_with(self, limits: Limits, drain: Drain) -> World {
        self.serving(limits, Config::mesh().ending(drain)).await
    }

    pub(crate) async fn serving(self, limits: Limits, config: Config) -> World {
        let clock = Clock::at(BEGINNING);
        let (parrot, signer) = (Parrot::new(), Arc::new(Signer::new(clock.clone())));
        let pem = SigningKey::generate_pem().unwrap();
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let begin = |elsewhere, process| {
            let key = Arc::new(ServiceKey::from_pem(pem.as_bytes()).unwrap());
            let mesh = mesh(elsewhere, process, Some(key), &clock, limits);
            mesh.trust().ask(signer.clone());
            mesh
        };
        let run = |mesh: &Mesh, services| mesh.run(services, &stop, &tracker).unwrap();
        let relay = |mesh: &Mesh| Relay { parrot: mesh.peer("relay", "parrot") }.service();

        let (caller, server, served) = match self {
            Self::Near => {
                let mesh = begin(HashMap::new(), "caller");
                run(&mesh, vec![parrot.service(), relay(&mesh)]);
                (mesh.clone(), mesh, None)
            }
            Self::Far => {
                let server = begin(HashMap::new(), "server");
                run(&server, vec![parrot.service()]);
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                let serving = mesh::serve::grpc(listener, server.clone(), config, stop.clone());
                let served = Served { address, ended: tokio::spawn(serving) };
                let elsewhere = HashMap::from([("parrot", format!("http://{address}"))]);
                let caller = begin(elsewhere, "caller");
                run(&caller, vec![relay(&caller)]);
                (caller, server, Some(served))
            }
        };
        let time = time_passes();
        World { caller, server, parrot, clock, signer, pem, stop, served, _time: time }
    }
}

/// A running mesh.
pub(crate) struct World {
    /// The process that calls.
    pub(crate) caller: Mesh,
    /// The process where the parrot lives; the same when near.
    pub(crate) server: Mesh,
    pub(crate) parrot: Parrot,
    pub(crate) clock: Clock,
    pub(crate) signer: Arc<Signer>,
    /// The mesh's own key.
    pub(crate) pem: String,
    pub(crate) stop: CancellationToken,
    pub(crate) served: Option<Served>,
    _time: AbortOnDropHandle<()>,
}

/// What is served over a socket.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) ended: JoinHandle<Ended>,
}

impl World {
    /// The parrot as the edge calls it: for whoever a request's own headers show.
    pub(crate) fn outside(&self) -> ParrotServiceClient<Channel> {
        large(ParrotServiceClient::new(self.caller.channel("parrot")))
    }

    /// The parrot as a service calls it.
    pub(crate) fn of(&self, context: &Context) -> ParrotServiceClient<Outgoing> {
        ParrotServiceClient::new(self.caller.peer("caller", "parrot").of(context))
    }

    /// What passes errands on to the parrot.
    pub(crate) fn relay(&self) -> RelayServiceClient<Channel> {
        RelayServiceClient::new(self.caller.channel("relay"))
    }

    /// The way of someone who belongs to no mesh, and may send anything.
    pub(crate) async fn stranger(&self) -> Channel {
        match &self.served {
            None => self.caller.channel("parrot"),
            Some(served) => connect(served.address).await,
        }
    }
}

/// A client that takes what it is sent, so that it is the server whose limits are seen.
fn large(client: ParrotServiceClient<Channel>) -> ParrotServiceClient<Channel> {
    client.max_decoding_message_size(usize::MAX)
}

/// A mesh of the test's contracts.
pub(crate) fn mesh(
    elsewhere: HashMap<&'static str, String>,
    process: &'static str,
    service_key: Option<Arc<ServiceKey>>,
    clock: &Clock,
    limits: Limits,
) -> Mesh {
    Mesh::new(mesh::Config {
        roles: [("teacher", BTreeSet::from(["parrot.teach"]))].into(),
        elsewhere,
        service_key,
        limits,
        clock: clock.clone(),
        ..mesh::Config::new(process, vec![contract::DESCRIPTORS, mesh_testing::DESCRIPTORS])
    })
    .unwrap()
}

/// A mesh that runs services, until the token is cancelled.
pub(crate) fn run(mesh: &Mesh, services: Vec<Service>) -> CancellationToken {
    let stop = CancellationToken::new();
    mesh.run(services, &stop, &TaskTracker::new()).unwrap();
    stop
}

/// HTTP/2 and nothing else: no timers, no headers of its own.
pub(crate) async fn connect(address: SocketAddr) -> Channel {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(1 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let sent = service_fn(move |mut request: http::Request<tonic::body::Body>| {
        let mut sender = sender.clone();
        let path = request.uri().path().to_owned();
        *request.uri_mut() = format!("http://{address}{path}").parse().unwrap();
        async move {
            let sent = sender.send_request(request).await;
            let response = sent.map_err(|error| Status::from_error(error.into()))?;
            Ok(response.map(tonic::body::Body::new))
        }
    });
    Channel::new(sent)
}

/// Lets paused time pass, twenty times as fast as it does outside. Left to itself, it leaps to the next timer
/// whenever nothing but a socket is waited for, and every call over one would be late.
pub(crate) fn time_passes() -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async {
        loop {
            let begun = std::time::Instant::now();
            while begun.elapsed() < STEP / 20 {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(STEP).await;
        }
    }))
}

/// Waits, in the test's own time, until something holds.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it does not come to hold");
}
