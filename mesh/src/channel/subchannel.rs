//! Keeps an endpoint connected, and knows whether it serves.

use std::sync::Arc;

use contract::grpc::health::v1::health_check_response::ServingStatus;
use contract::grpc::health::v1::health_client::HealthClient;
use contract::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use http::Request;
use http::uri::Authority;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tonic::body::Body;
use tonic::{Code, Status, Streaming};
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use super::backoff::Backoff;
use super::connection::{Address, Connection, DialError, Security};
use super::endpoint::{Endpoint, MOST_CONNECTIONS, State};
use super::{Channel, address_to};
use crate::metrics::Subchannels;

/// A connection that did not last as long as the longest wait is one more failure.
const LASTING: std::time::Duration = std::time::Duration::from_secs(3);

/// How long whoever has failed may take to say how it is.
const ANSWERS_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// What keeps one endpoint connected.
pub(super) struct Subchannel {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) authority: Authority,
    pub(super) security: Security,
    pub(super) counts: Subchannels,
    /// Wakes whoever chooses among endpoints.
    pub(super) changed: Arc<Notify>,
    /// Nobody else is well any more: this one is tried at once.
    pub(super) hurry: Arc<Notify>,
    /// Wakes whoever knows where endpoints are: this one may have moved.
    pub(super) lost: Arc<Notify>,
}

/// What an endpoint said last of its health.
type Watch = Streaming<HealthCheckResponse>;

impl Subchannel {
    /// Never returns; the endpoint is let go of by dropping this.
    pub(super) async fn run(self) {
        tokio::join!(self.keep(), self.ask_when_doubted());
    }

    async fn keep(&self) {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            match self.dial().await {
                Ok(connection) => {
                    self.hold(connection).await;
                    self.endpoint.set_connections(Vec::new());
                }
                Err(error) => {
                    self.counts.not_connected();
                    self.fail(&error.to_string());
                }
            }
            if begun.elapsed() >= LASTING {
                backoff.succeeded();
            } else {
                tokio::select! {
                    () = sleep(backoff.failed(rand::random())) => {}
                    () = self.hurry.notified() => {}
                }
            }
        }
    }

    /// Asks an endpoint that only failed how it is, before a call is risked on it.
    async fn ask_when_doubted(&self) {
        loop {
            self.endpoint.is_doubted.notified().await;
            let answers = match self.endpoint.connection() {
                Some(connection) => {
                    let mut health = self.health(&connection);
                    let asked = health.check(HealthCheckRequest::default());
                    match timeout(ANSWERS_WITHIN, asked).await {
                        Ok(answered) => answered.map_or_else(|status| is_said(&status), |_| true),
                        Err(_) => false,
                    }
                }
                None => false,
            };
            self.endpoint.heard(answers);
        }
    }

    async fn dial(&self) -> Result<Connection, DialError> {
        let Endpoint { address, listed, .. } = &*self.endpoint;
        let connection = Connection::dial(address, &self.security).await?;
        if let Some(listed) = listed {
            let remote = match address {
                Address::Tcp(remote) => Some(*remote),
                Address::Unix(_) => None,
            };
            connection.list(listed.socket(None, remote));
        }
        Ok(connection)
    }

    /// Returns when the last connection is closed.
    async fn hold(&self, first: Connection) {
        let mut connections = vec![Arc::new(first)];
        let mut open = vec![self.counts.connected()];
        while let Some(lead) = connections.first().cloned() {
            self.endpoint.set_connections(connections.clone());
            tokio::select! {
                () = lead.closed() => {}
                () = self.follow(&lead) => {}
                () = self.endpoint.is_full.notified(), if connections.len() < MOST_CONNECTIONS => {
                    match self.dial().await {
                        Ok(more) => {
                            connections.push(Arc::new(more));
                            open.push(self.counts.connected());
                        }
                        Err(_) => self.counts.not_connected(),
                    }
                }
            }
            connections.retain(|connection| !connection.is_closed());
            open.truncate(connections.len());
        }
        match self.endpoint.state() {
            State::Ready | State::Resting => self.become_(State::Connecting),
            State::Connecting | State::Failing(_) => self.fail("it closed the connection"),
        }
        self.lost.notify_one();
    }

    /// Takes over what the endpoint says of its health (gRFC A17), until the connection is closed.
    async fn follow(&self, connection: &Arc<Connection>) {
        let mut backoff = Backoff::default();
        loop {
            let status = match self.watch(connection).await {
                Ok(mut watch) => self.listen(&mut watch).await,
                Err(status) => status,
            };
            if status.code() == Code::Unimplemented {
                // Whoever does not tell is taken for healthy.
                self.become_(State::Ready);
                return connection.closed().await;
            }
            if connection.is_closed() {
                return;
            }
            // Whoever has said that it stops says nothing more.
            if self.endpoint.state() != State::Resting {
                self.fail(&format!("its health is not known: {}", status.message()));
            }
            sleep(backoff.failed(rand::random())).await;
        }
    }

    async fn watch(&self, connection: &Arc<Connection>) -> Result<Watch, Status> {
        Ok(self.health(connection).watch(HealthCheckRequest::default()).await?.into_inner())
    }

    /// The endpoint's health service over one of its connections.
    fn health(&self, connection: &Arc<Connection>) -> HealthClient<Channel> {
        let (authority, is_plain) = (self.authority.clone(), self.security.is_plain());
        let connection = Arc::clone(connection);
        HealthClient::new(BoxCloneSyncService::new(service_fn(
            move |mut request: Request<Body>| {
                address_to(&authority, is_plain, &mut request);
                let sent = connection.send(request);
                async move {
                    let answer =
                        sent.await.map_err(|unsent| Status::from_error(unsent.error.into()))?;
                    Ok(answer.map(Body::new))
                }
            },
        )))
    }

    /// Returns why nothing more is said.
    async fn listen(&self, watch: &mut Watch) -> Status {
        loop {
            match watch.message().await {
                Ok(Some(said)) if said.status() == ServingStatus::Serving => {
                    self.become_(State::Ready);
                }
                Ok(Some(_)) => self.become_(State::Resting),
                Ok(None) => return Status::unavailable("the watch has ended"),
                Err(status) => return status,
            }
        }
    }

    fn fail(&self, why: &str) {
        let endpoint = &self.endpoint.address;
        tracing::debug!(%endpoint, why, "an endpoint takes no calls");
        self.become_(State::Failing(why.into()));
    }

    fn become_(&self, state: State) {
        if self.endpoint.set_state(state) {
            self.changed.notify_one();
        }
    }
}

/// Whether a failure is an answer all the same: not everybody has a health service.
fn is_said(status: &Status) -> bool {
    status.code() == Code::Unimplemented
}
