//! A gateway to ask, and its answers.

use std::sync::Arc;

use bytes::Bytes;
use gateway::{Gateway, Options};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::{
    ChainFileResolver, DescriptorSetFileResolver, GoogleFileResolver, IncludeFileResolver,
};
use serde_json::Value;
use tonic::body::Body;
use tower::ServiceExt;

use crate::{catalog, echo};

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let body = collected.to_bytes();
        Self { status: parts.status.as_u16(), headers: parts.headers, body, trailers }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The error's status, and the reason in its details.
    pub(crate) fn failure(&self) -> (u16, String) {
        let details = self.json()["error"]["details"].clone();
        let info = details.as_array().unwrap().iter().find(|it| it["reason"].is_string()).unwrap();
        (self.status, info["reason"].as_str().unwrap().to_owned())
    }

    /// The first field at fault.
    pub(crate) fn field(&self) -> String {
        let details = self.json()["error"]["details"].clone();
        let all = details.as_array().unwrap();
        let bad = all.iter().find(|it| it["fieldViolations"].is_array()).unwrap();
        bad["fieldViolations"][0]["field"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn send(gateway: &Gateway, request: Request<Full<Bytes>>) -> Answer {
    Answer::read(open(gateway, request).await).await
}

pub(crate) async fn open(gateway: &Gateway, request: Request<Full<Bytes>>) -> Response<Body> {
    gateway.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
}

pub(crate) fn asking(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    asking("GET", path).body(Full::default()).unwrap()
}

pub(crate) fn post(path: &str, json: &str) -> Request<Full<Bytes>> {
    with_json("POST", path, json)
}

pub(crate) fn with_json(method: &str, path: &str, json: &str) -> Request<Full<Bytes>> {
    let builder = asking(method, path).header("content-type", "application/json");
    builder.body(Full::from(json.to_owned())).unwrap()
}

/// A message behind its flag and length.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], length.as_slice(), message].concat()
}

/// The framed messages of a body.
pub(crate) fn unframed(mut body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some((prefix, rest)) = body.split_first_chunk::<5>() {
        let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
        let (message, rest) = rest.split_at(usize::try_from(length).unwrap());
        messages.push((prefix[0], message.to_vec()));
        body = rest;
    }
    assert!(body.is_empty());
    messages
}

/// The gateway to the catalog, by its real contract.
pub(crate) fn shop() -> Gateway {
    let channel = catalog::channel();
    let channels = move |service: &str| {
        (service == "tradewind.catalog.v1.CatalogService").then(|| channel.clone())
    };
    Gateway::new(&[tradewind::DESCRIPTORS], channels, Options::default()).unwrap()
}

/// The gateway to a service that answers what it is asked.
pub(crate) fn parrot() -> Gateway {
    parrot_with(Options::default())
}

pub(crate) fn parrot_with(options: Options) -> Gateway {
    let descriptors = compile("test/v1/echo.proto");
    let channel = echo::channel(DescriptorPool::decode(descriptors.as_slice()).unwrap());
    let channels =
        move |service: &str| (service != "test.v1.AbsentService").then(|| channel.clone());
    Gateway::new(&[&descriptors], channels, options).unwrap()
}

/// Descriptors of a contract in the tests' own folder.
pub(crate) fn compile(file: &str) -> Vec<u8> {
    compile_in(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/proto")), file)
}

pub(crate) fn compile_in(root: &std::path::Path, file: &str) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(IncludeFileResolver::new(root.to_owned()));
    resolver.add(DescriptorSetFileResolver::decode(tradewind::DESCRIPTORS).unwrap());
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true).open_file(file).unwrap();
    compiler.encode_file_descriptor_set()
}

pub(crate) fn ready_when(ready: Arc<std::sync::atomic::AtomicBool>) -> Options {
    let ready = move || ready.load(std::sync::atomic::Ordering::Relaxed);
    Options { ready: Arc::new(ready), ..Options::default() }
}
