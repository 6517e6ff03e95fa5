//! The way to Redis: one connection for commands, others for what waits, and a breaker before the first.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection, PubSub};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    Script, ScriptInvocation,
};
use tokio::time::{sleep, timeout};

use crate::breaker::Breaker;
use crate::error::Error;
use crate::metrics::{Metrics, Outcome};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long an answer may take; whoever asks can do without.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// How often Redis is tried that has failed.
const PROBE: Duration = Duration::from_millis(250);
/// What every key begins with.
const PREFIX: &str = "mesh";

/// Whether a command that failed may be sent again: it may have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Once,
    Never,
}

/// A Redis server, whether it can be reached or not. Clones share its connection.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    commands: ConnectionManager,
    breaker: Breaker,
    metrics: Metrics,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

impl Redis {
    /// A server by its URL. It is connected to when it is first asked; one that is down is done without.
    ///
    /// Must be called within a Tokio runtime.
    pub fn open(url: &str) -> Result<Self, Error> {
        let address = url.into_connection_info().map_err(Error::Url)?;
        let address = address.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(address).map_err(Error::Url)?;
        // The breaker says when to try again; a command that meets a lost connection says so at once.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let commands = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        let metrics = Metrics::default();
        metrics.up.set(1);
        let inner = Inner { client, commands, breaker: Breaker::default(), metrics };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Shows on a process's page of metrics whether Redis is up, and what it was asked.
    pub fn register(&self, page: &mesh::metrics::Metrics) {
        self.inner.metrics.register(page);
    }

    /// Whether it is asked: it answered, as far as anybody knows.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.inner.breaker.is_open()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Sends a command, unless Redis has failed.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        command: &Cmd,
        repeat: Repeat,
    ) -> Result<T, Error> {
        self.attempt(repeat, || {
            let mut commands = self.inner.commands.clone();
            async move { command.query_async(&mut commands).await }
        })
        .await
    }

    /// Runs a script, unless Redis has failed.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
        repeat: Repeat,
    ) -> Result<T, Error> {
        self.attempt(repeat, || {
            let mut commands = self.inner.commands.clone();
            async move { script.invoke_async(&mut commands).await }
        })
        .await
    }

    async fn attempt<T, F: Future<Output = Result<T, RedisError>>>(
        &self,
        repeat: Repeat,
        send: impl Fn() -> F,
    ) -> Result<T, Error> {
        if self.inner.breaker.is_open() {
            self.inner.metrics.command(Outcome::Rested);
            return Err(Error::Resting);
        }
        let mut answer = send().await;
        if answer.is_err() && repeat == Repeat::Once {
            answer = send().await;
        }
        match &answer {
            Ok(_) => {
                self.inner.metrics.command(Outcome::Answered);
                self.inner.breaker.answered();
            }
            Err(error) => {
                self.inner.metrics.command(Outcome::Failed);
                if self.inner.breaker.failed() {
                    self.rest(error);
                }
            }
        }
        Ok(answer?)
    }

    /// Asks no more until a probe is answered; says so once.
    fn rest(&self, error: &RedisError) {
        self.inner.metrics.up.set(0);
        tracing::warn!(%error, "Redis fails: what replicas share by it is done without, until it answers");
        tokio::spawn(probe(Arc::downgrade(&self.inner)));
    }

    /// A connection of its own for commands that wait for so long.
    pub(crate) async fn patient(&self, wait: Duration) -> Result<MultiplexedConnection, Error> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(wait + CONNECT_WITHIN));
        let client = &self.inner.client;
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    /// A connection of its own that is told things.
    pub(crate) async fn subscribed(&self, channels: &[&str]) -> Result<PubSub, Error> {
        let connect = async {
            let mut told = self.inner.client.get_async_pubsub().await?;
            told.subscribe(channels).await?;
            Ok::<_, RedisError>(told)
        };
        let late = || RedisError::from((ErrorKind::Io, "no connection within a second"));
        Ok(timeout(CONNECT_WITHIN, connect).await.map_err(|_| late())??)
    }
}

/// Tries again and again to write something, and lets everything through once that succeeds.
async fn probe(of: Weak<Inner>) {
    loop {
        sleep(PROBE).await;
        let Some(inner) = of.upgrade() else { return };
        // Not a PING: a server that answers but takes no writes is of no use.
        let mut write = redis::cmd("SET");
        write.arg(key(&["probe"])).arg(1).arg("PX").arg(1000);
        let mut commands = inner.commands.clone();
        if write.exec_async(&mut commands).await.is_ok() {
            inner.breaker.close();
            inner.metrics.up.set(1);
            tracing::info!("Redis answers again");
            return;
        }
    }
}

/// A key, by the parts of its name.
pub(crate) fn key(parts: &[&str]) -> String {
    format!("{PREFIX}:{}", parts.join(":"))
}

/// A script as the server knows it once it has run.
pub(crate) fn script(text: &str) -> Script {
    Script::new(text)
}
