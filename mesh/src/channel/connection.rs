//! One HTTP/2 connection to an endpoint.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use crate::channelz::Socket;
use crate::spawn::Spawning;
use crate::tls::{self, Identities, TlsError};

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent peer is asked whether it is there, idle or not, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// How long what was written may stay unacknowledged (gRFC A18): a peer whose machine is gone answers no ping.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Fixed windows: adaptive ones storm with pings.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Longer lists of headers fail the call.
const LONGEST_HEADERS: u32 = 64 << 10;

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How a connection is kept from others.
#[derive(Debug, Clone)]
pub(super) enum Security {
    /// Not at all.
    Plain,
    /// By the mesh's certificates: as one service to another.
    Mesh { identities: Identities, from: &'static str, to: &'static str },
    /// By whatever authorities the system believes, as browsers do.
    Public { name: ServerName<'static> },
}

impl Security {
    fn connector(&self) -> Result<Option<(TlsConnector, ServerName<'static>)>, TlsError> {
        match self {
            Self::Plain => Ok(None),
            Self::Mesh { identities, from, to } => identities.connector(from, to).map(Some),
            Self::Public { name } => Ok(Some((tls::public_connector()?, name.clone()))),
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("it does not answer within {} s", CONNECT.as_secs())]
    Late,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it does not speak HTTP/2")]
    Handshake(#[from] hyper::Error),
    #[error("it cannot be connected to: {0}")]
    Tls(#[from] TlsError),
    #[error("it is not who it should be: {0}")]
    Stranger(#[source] io::Error),
}

/// A connection that takes calls until it is closed.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    in_flight: AtomicUsize,
    state: Arc<State>,
    /// Where operators see it.
    listed: OnceLock<Socket>,
}

/// What the connection's own task says of it.
#[derive(Debug)]
struct State {
    /// How many calls the peer takes at once.
    room: AtomicUsize,
    is_closed: AtomicBool,
    closed: Notify,
}

impl Connection {
    /// Connects; a task drives the connection from then on.
    pub(super) async fn dial(address: &Address, security: &Security) -> Result<Self, DialError> {
        let dialed = async {
            match address {
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
                    Self::secured(stream, security).await
                }
                Address::Unix(path) => {
                    Self::secured(UnixStream::connect(path).await?, security).await
                }
            }
        };
        timeout(CONNECT, dialed).await.map_err(|_| DialError::Late)?
    }

    async fn secured<S>(stream: S, security: &Security) -> Result<Self, DialError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match security.connector()? {
            None => Self::over(stream).await,
            Some((connector, name)) => {
                let stream = connector.connect(name, stream).await.map_err(DialError::Stranger)?;
                Self::over(stream).await
            }
        }
    }

    pub(super) async fn over<S>(stream: S) -> Result<Self, DialError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, mut driver) = http2::Builder::new(Spawning)
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(LONGEST_HEADERS)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        let state = Arc::new(State {
            room: AtomicUsize::new(driver.current_max_send_streams()),
            is_closed: AtomicBool::new(false),
            closed: Notify::new(),
        });
        let told = Arc::clone(&state);
        tokio::spawn(async move {
            let ended = std::future::poll_fn(|poller| {
                let polled = Pin::new(&mut driver).poll(poller);
                if polled.is_pending() {
                    told.room.store(driver.current_max_send_streams(), Ordering::Relaxed);
                    return Poll::Pending;
                }
                polled
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "a connection ended early");
            }
            told.is_closed.store(true, Ordering::Release);
            told.closed.notify_waiters();
        });
        Ok(Self { sender, in_flight: AtomicUsize::new(0), state, listed: OnceLock::new() })
    }

    /// Lists it where operators look.
    pub(super) fn list(&self, listed: Socket) {
        // A connection is listed once.
        let _ = self.listed.set(listed);
    }

    /// Sends a call; one that has not left comes back with the error.
    pub(super) fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>, Unsent>> + use<> {
        let mut sender = self.sender.clone();
        async move {
            sender.try_send_request(request).await.map_err(|mut failed| Unsent {
                request: failed.take_message(),
                error: failed.into_error(),
            })
        }
    }

    /// Whether it takes no more calls; those that run may go on.
    pub(super) fn is_closed(&self) -> bool {
        self.state.is_closed.load(Ordering::Acquire) || self.sender.is_closed()
    }

    /// Returns when it takes no more calls.
    pub(super) async fn closed(&self) {
        let closed = self.state.closed.notified();
        let mut closed = std::pin::pin!(closed);
        closed.as_mut().enable();
        if !self.is_closed() {
            closed.await;
        }
    }

    /// How many more calls its peer takes at once.
    pub(super) fn room(&self) -> usize {
        let room = self.state.room.load(Ordering::Relaxed);
        room.saturating_sub(self.in_flight.load(Ordering::Relaxed))
    }

    /// A call goes out on it.
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if let Some(listed) = self.listed.get() {
            listed.traffic().open();
        }
    }

    /// A call has ended, whole or not.
    pub(super) fn end(&self, whole: bool) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(listed) = self.listed.get() {
            listed.traffic().close(whole);
        }
    }
}

/// A call without an answer.
#[derive(Debug)]
pub(super) struct Unsent {
    /// The call, when nothing of it has left.
    pub(super) request: Option<Request<Body>>,
    pub(super) error: hyper::Error,
}
