//! Serving over TCP: the accept loop, and a graceful end of it.

mod opening;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;

use self::opening::Opening;
use crate::failure::Refusal;
use crate::mesh::Mesh;

/// The longest list of headers that is read, in bytes.
const LONGEST_HEADERS: u32 = 64 << 10;
/// How long a client may take to say its first words, and over HTTP/1.1 the head of each request.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);
/// Calls at once on one connection.
const STREAMS: u32 = 1024;

/// How a server ends.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// How long new connections are still taken after health says `NOT_SERVING`, for clients to notice.
    pub lame_duck: Duration,
    /// How long calls may take to end.
    pub longest: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { lame_duck: Duration::ZERO, longest: Duration::from_secs(20) }
    }
}

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
    drain: Drain,
    stop: CancellationToken,
) -> Ended {
    let health = mesh.health().clone();
    let ending = stop.clone();
    let end = async move {
        ending.cancelled().await;
        tokio::time::sleep(drain.lame_duck).await;
        health.end();
    };
    let service = tower::service_fn(move |request: Request<Body>| {
        let stack = mesh.answering().cloned();
        async move {
            Ok::<_, Infallible>(match stack {
                Some(stack) => stack.answer(request).await,
                None => tonic::Status::from(Refusal::Draining).into_http(),
            })
        }
    });
    tokio::join!(http(listener, service, drain, stop), end).0
}

/// Serves HTTP/1.1 and HTTP/2 on one port, until the token is cancelled.
pub async fn http<S>(
    listener: TcpListener,
    service: S,
    drain: Drain,
    stop: CancellationToken,
) -> Ended
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let graceful = GracefulShutdown::new();
    // Connections that outlive the longest drain end with this server.
    let cut = CancellationToken::new();
    let _cut = cut.clone().drop_guard();
    let mut closing = std::pin::pin!(async {
        stop.cancelled().await;
        tokio::time::sleep(drain.lame_duck).await;
    });
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let connection = connect(stream, peer, service.clone(), &graceful);
                    tokio::spawn(cut.clone().run_until_cancelled_owned(connection));
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
    match tokio::time::timeout(drain.longest, graceful.shutdown()).await {
        Ok(()) => Ended::Clean,
        Err(_) => Ended::Forced,
    }
}

fn connect<S>(
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static + use<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    // Small answers must not wait for more to send.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection is slower than it could be");
    }
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        service.clone().call(request.map(Body::new))
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_SILENCE)
        .max_buf_size(LONGEST_HEADERS as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(2 << 20)
        .initial_connection_window_size(4 << 20)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEADERS)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(Opening::new(stream)), service);
    let connection = graceful.watch(connection.into_owned());
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, error, "a connection ended early");
        }
    }
}
