//! Serving over TCP: the accept loop, and a graceful end of it.

mod calls;
mod config;
mod connection;
mod frames;
mod pings;
mod wire;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower::Service;

pub use self::config::{Age, Config, Drain, KeepAlive, Pings};

use self::calls::Calls;
use self::connection::{Ending, Life};
use self::wire::{LONGEST_SILENCE, Wire};
use crate::channelz::{Registry, Server};
use crate::clock::Clock;
use crate::failure::Refusal;
use crate::mesh::Mesh;
use crate::spawn::Spawning;
use crate::tls::{PeerService, Tls};

/// What ended a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every call was answered.
    Clean,
    /// Some calls were cut off.
    Forced,
}

/// Serves the mesh's services to other processes over gRPC, until the token is cancelled.
pub async fn grpc(
    listener: TcpListener,
    mesh: Mesh,
    config: Config,
    stop: CancellationToken,
) -> Ended {
    let (registry, health) = (mesh.channelz().clone(), mesh.health().clone());
    // A mesh whose services have certificates talks to nobody without one.
    let config = config.secured(mesh.identities().cloned().map(Tls::Mesh));
    let service = tower::service_fn(move |request: Request<Body>| {
        let stack = mesh.answering().cloned();
        // In a box from the start: a call that is answered is handed on a handful of times before it is spawned.
        Box::pin(async move {
            Ok::<_, Infallible>(match stack {
                Some(stack) => stack.answer(request).await,
                None => tonic::Status::from(Refusal::Draining).into_http(),
            })
        })
    });
    let stopping = stop.clone();
    let told = async {
        // Whoever watches is told at once, and then no more: a watch would keep its connection for ever.
        stopping.cancelled().await;
        health.stop();
    };
    tokio::join!(listed(listener, service, config, &registry, stop), told).0
}

/// Serves HTTP/1.1 and HTTP/2 on one port, until the token is cancelled.
pub async fn http<S>(
    listener: TcpListener,
    service: S,
    config: Config,
    stop: CancellationToken,
) -> Ended
where
    S: Answering,
{
    let unseen = Registry::new(Clock::system());
    listed(listener, service, config, &unseen, stop).await
}

/// The same, listed where operators look.
pub async fn listed<S>(
    listener: TcpListener,
    service: S,
    config: Config,
    registry: &Registry,
    stop: CancellationToken,
) -> Ended
where
    S: Answering,
{
    let drain = config.drain;
    let (hurry, connections) = (config.hurry.clone(), TaskTracker::new());
    let port = Port::open(service, config, registry, &listener, stop.clone());
    // Connections that outlive the longest drain end with this server.
    let cut = CancellationToken::new();
    let _cut = cut.clone().drop_guard();
    let mut closing = std::pin::pin!(async {
        stop.cancelled().await;
        port.server.note(crate::channelz::Severity::Info, "tells its clients to move");
        hurry.run_until_cancelled(tokio::time::sleep(drain.lame_duck)).await;
    });
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let connection = port.connection(stream, peer);
                    connections.spawn(cut.clone().run_until_cancelled_owned(connection));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: others are freed as connections end.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            () = &mut closing => break,
        }
    }
    drop(listener);
    port.ending.closed.cancel();
    connections.close();
    match timeout(drain.longest, connections.wait()).await {
        Ok(()) => Ended::Clean,
        Err(_) => Ended::Forced,
    }
}

/// What answers requests on a port.
pub trait Answering:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Answering for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// What all connections of a port have in common.
struct Port<S> {
    service: S,
    config: Config,
    server: Arc<Server>,
    ending: Ending,
    http: Arc<auto::Builder<Spawning>>,
    /// Listed as long as the port is.
    _listener: crate::channelz::Socket,
}

impl<S: Answering> Port<S> {
    fn open(
        service: S,
        config: Config,
        registry: &Registry,
        listener: &TcpListener,
        stop: CancellationToken,
    ) -> Self {
        let server = registry.server(config.name);
        let listener = server.listener(listener.local_addr().ok());
        let lame_duck = config.drain.lame_duck;
        let ending = Ending { stop, lame_duck, closed: CancellationToken::new() };
        let http = Arc::new(speaking(&config));
        Self { service, config, server: Arc::new(server), ending, http, _listener: listener }
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + Send + 'static + use<S> {
        // Small answers must not wait for more to send.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is slower than it could be");
        }
        let socket = self.server.socket(stream.local_addr().ok(), Some(peer));
        let traffic = Arc::clone(socket.traffic());
        let calls = Calls::new(Arc::clone(&self.server), Arc::clone(&traffic));
        let life = Life {
            age: self.config.age,
            calls: Arc::clone(&calls),
            ending: self.ending.clone(),
            share: rand::random(),
        };
        let (tls, pings) = (self.config.tls.clone(), self.config.pings);
        let (http, service) = (Arc::clone(&self.http), self.service.clone());
        async move {
            match secured(stream, tls).await {
                Ok((stream, shown)) => {
                    let wire = TokioIo::new(Wire::new(stream, pings, traffic));
                    let service = told(service, peer, shown, calls);
                    let connection = http.serve_connection_with_upgrades(wire, service);
                    if let Err(error) = life.live(connection.into_owned()).await {
                        tracing::debug!(%peer, error, "a connection ended early");
                    }
                }
                Err(error) => tracing::debug!(%peer, %error, "a connection was not secured"),
            }
            drop(socket);
        }
    }
}

/// A connection, encrypted or not.
type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Greets a client as the port's certificates have it; a client that says nothing has no longer than others.
async fn secured(
    stream: TcpStream,
    tls: Option<Tls>,
) -> std::io::Result<(Stream, Option<PeerService>)> {
    let Some(tls) = tls else { return Ok((Either::Left(stream), None)) };
    let stream = timeout(LONGEST_SILENCE, tls.acceptor().accept(stream)).await??;
    let shown = PeerService::of(stream.get_ref().1);
    Ok((Either::Right(stream), shown))
}

/// What answers the requests of one connection: each says where it came from, and from whom.
fn told<S: Answering>(
    service: S,
    peer: SocketAddr,
    shown: Option<PeerService>,
    calls: Arc<Calls>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Send + 'static,
> + Send {
    hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(shown) = &shown {
            request.extensions_mut().insert(shown.clone());
        }
        let (call, request) = calls.begin(request);
        let answered = service.clone().call(request);
        async move { answered.await.map(|response| call.answer(response)) }
    })
}

/// HTTP as a port speaks it.
fn speaking(config: &Config) -> auto::Builder<Spawning> {
    let mut builder = auto::Builder::new(Spawning);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_SILENCE)
        .max_buf_size(usize::try_from(config.headers).unwrap_or(usize::MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(2 << 20)
        .initial_connection_window_size(4 << 20)
        .max_concurrent_streams(config.streams)
        .max_header_list_size(config.headers)
        .max_pending_accept_reset_streams(config.unseen_resets)
        .max_local_error_reset_streams(config.faulty_resets)
        .keep_alive_interval(config.keep_alive.every)
        .keep_alive_timeout(config.keep_alive.within);
    builder
}
