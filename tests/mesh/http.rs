//! HTTP as a shell's `curl` speaks it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// What came back: the status, and the JSON that it says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
    /// The trace that it says it is of.
    pub(crate) trace: Option<String>,
}

impl Answer {
    /// The reason of an error, as programs read it.
    pub(crate) fn reason(&self) -> &str {
        let details = self.json["error"]["details"].as_array();
        let info = details.into_iter().flatten().find_map(|detail| detail["reason"].as_str());
        info.unwrap_or("")
    }

    /// A text in the answer, by its JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let found = self.json.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("{pointer} is not in {self:?}")).to_owned()
    }
}

/// Calls with a body of JSON, and headers.
pub(crate) async fn call(
    method: Method,
    at: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    try_call(method, at, path, headers, body).await.unwrap()
}

/// The same call to a process that may be gone.
pub(crate) async fn try_call(
    method: Method,
    at: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Answer, hyper_util::client::legacy::Error> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{at}{path}"))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(Full::new(body.into())).unwrap()).await?;
    let status = response.status().as_u16();
    let trace = response.headers().get("trace-id").and_then(|id| id.to_str().ok());
    let trace = trace.map(str::to_owned);
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Ok(Answer { status, json: serde_json::from_slice(&bytes).unwrap_or(Value::Null), trace })
}

/// The status of a page, when there is one.
pub(crate) async fn status(at: SocketAddr, path: &str) -> Option<u16> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let uri = format!("http://{at}{path}").parse().ok()?;
    Some(client.get(uri).await.ok()?.status().as_u16())
}

/// A page.
pub(crate) async fn text(at: SocketAddr, path: &str) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let page = client.get(format!("http://{at}{path}").parse().unwrap()).await.unwrap();
    let bytes = page.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}
