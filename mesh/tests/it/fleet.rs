//! Replicas of one service, each of which behaves as a test says, and a channel to all of them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use mesh::serve::{Config, Drain};
use mesh::{CancellationToken, Channel, Configs, Mesh, ServiceConfig, Status};
use mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient;
use mesh_testing::parrot::v1::{Errand, Report};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;
use tonic::body::Body;
use tower::service_fn;

use crate::asking::framed;
use crate::shape::time_passes;

/// What a replica does with a call.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    /// Answers with its number.
    Well,
    /// Answers after a while.
    Slow(Duration),
    /// Never answers.
    Mute,
    /// Refuses, with a pushback where there is one.
    Refusing(Code, Option<&'static str>),
}

/// One replica.
#[derive(Clone)]
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    /// The headers of each call that came.
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    stop: CancellationToken,
}

impl Replica {
    /// One that is well, at an address of its own.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let replica = Self {
            address: listener.local_addr().unwrap(),
            mood: Arc::new(Mutex::new(Mood::Well)),
            seen: Arc::default(),
            stop: CancellationToken::new(),
        };
        let answering = replica.clone();
        let service = service_fn(move |request: Request<Body>| {
            let replica = answering.clone();
            async move { Ok::<_, Infallible>(replica.answer(request).await) }
        });
        let end = Drain { longest: Duration::ZERO, ..Drain::at_once() };
        let config = Config::mesh().ending(end);
        tokio::spawn(mesh::serve::http(listener, service, config, replica.stop.clone()));
        replica
    }

    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How many calls came.
    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// A header of each call that came.
    pub(crate) fn header(&self, name: &str) -> Vec<Option<String>> {
        let text =
            |headers: &HeaderMap| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        self.seen.lock().unwrap().iter().map(text).collect()
    }

    /// Ends at once, with all that it was asked.
    pub(crate) fn die(&self) {
        self.stop.cancel();
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if request.uri().path().starts_with("/grpc.health.v1.") {
            // It tells nobody of its health, which is taken for good.
            return Status::unimplemented("").into_http();
        }
        self.seen.lock().unwrap().push(request.headers().clone());
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Well => {}
            Mood::Slow(time) => wait(time).await,
            Mood::Mute => std::future::pending().await,
            Mood::Refusing(code, pushback) => {
                let mut refused = Status::new(code, "as the test has it").into_http();
                if let Some(pushback) = pushback {
                    let pushback = pushback.parse().unwrap();
                    refused.headers_mut().insert("grpc-retry-pushback-ms", pushback);
                }
                return refused;
            }
        }
        let report = Report { address: self.address.to_string(), ..Report::default() };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let trailers = std::future::ready(Some(Ok::<_, Infallible>(trailers)));
        let message = Full::<bytes::Bytes>::from(framed(&report)).with_trailers(trailers);
        let content_type = ("content-type", "application/grpc");
        Response::builder().header(content_type.0, content_type.1).body(Body::new(message)).unwrap()
    }
}

/// As long as a mood lasts, in the paused time of the test.
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Replicas, and a mesh that calls them.
pub(crate) struct Fleet {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) mesh: Mesh,
    _time: AbortOnDropHandle<()>,
}

impl Fleet {
    /// So many replicas, all well, and everything as it is by default.
    pub(crate) async fn start(number: usize) -> Self {
        Self::start_with(number, "{}").await
    }

    /// The same, called as a service config says.
    pub(crate) async fn start_with(number: usize, config: &str) -> Self {
        let time = time_passes();
        let mut replicas = Vec::new();
        for _ in 0..number {
            replicas.push(Replica::start().await);
        }
        let addresses: Vec<_> =
            replicas.iter().map(|replica| replica.address.to_string()).collect();
        let config = Configs::fixed(ServiceConfig::from_json(config).unwrap());
        let mesh = calling(&format!("static:{}", addresses.join(",")), config);
        Self { replicas, mesh, _time: time }
    }

    pub(crate) fn client(&self) -> ParrotServiceClient<Channel> {
        ParrotServiceClient::new(self.mesh.channel("parrot"))
    }

    /// Makes so many calls, one after the other; how many failed.
    pub(crate) async fn call(&self, number: usize) -> usize {
        let (mut client, mut failed) = (self.client(), 0);
        for _ in 0..number {
            failed += usize::from(client.act(Errand::default()).await.is_err());
        }
        failed
    }

    /// How many calls came to each replica.
    pub(crate) fn calls(&self) -> Vec<usize> {
        self.replicas.iter().map(Replica::calls).collect()
    }
}

/// A mesh that calls the parrot where a target says that it is.
pub(crate) fn calling(target: &str, calls: Configs) -> Mesh {
    Mesh::new(mesh::Config {
        elsewhere: HashMap::from([("parrot", target.to_owned())]),
        calls,
        ..mesh::Config::new("caller", vec![contract::DESCRIPTORS, mesh_testing::DESCRIPTORS])
    })
    .unwrap()
}
