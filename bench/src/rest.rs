//! Requests over HTTP/1.1, on connections that stay open.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

/// One connection; it closes when it is dropped.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
    host: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection).abort_handle();
        Ok(Self { sender, driver, host: address.to_string() })
    }

    /// Asks for a path, and reads the answer to its end.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(StatusCode, Bytes)> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = path.parse()?;
        request.headers_mut().clone_from(headers);
        request.headers_mut().insert(http::header::HOST, self.host.parse()?);
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// The same, where only success will do.
    pub(crate) async fn fetch(&mut self, path: &str, headers: &HeaderMap) -> Result<Bytes> {
        let (status, body) = self.get(path, headers).await?;
        let text = || String::from_utf8_lossy(&body).into_owned();
        ensure!(status == StatusCode::OK, "{path} was answered with {status}: {}", text());
        Ok(body)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A connection that opens when it is first used: one caller's, from one call to the next.
#[derive(Clone)]
pub(crate) struct Line {
    address: SocketAddr,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Line {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, connection: Arc::default() }
    }

    /// Asks for a path, where only success will do.
    pub(crate) async fn fetch(&self, path: &str, headers: &HeaderMap) -> Result<Bytes> {
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let body = connection.fetch(path, headers).await?;
        *kept = Some(connection);
        Ok(body)
    }
}

/// One request on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<(StatusCode, Bytes)> {
    Connection::open(address).await?.get(path, &HeaderMap::new()).await
}

/// What someone signed in sends.
pub(crate) fn signed_in(token: &str) -> Result<HeaderMap> {
    let value = format!("Bearer {token}").parse().context("a token is not a header")?;
    Ok(HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]))
}
