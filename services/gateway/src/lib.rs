//! The edge of the mesh: one port that answers REST with JSON, Connect, gRPC-Web and gRPC.
//!
//! Everything it knows of the services, it reads at run time from the contracts' descriptors; a
//! new RPC is reachable in every protocol without a line here.
//!
//! Invariant: an RPC whose contract says `ACCESS_INTERNAL`, or says nothing, does not exist here.
//! Invariant: no header by which services know each other passes from outside.

mod binding;
mod call;
mod coding;
mod connect;
mod cors;
mod details;
mod edge;
mod errors;
mod fields;
mod grpc_web;
mod headers;
mod incoming;
mod json;
mod number;
mod openapi;
mod page;
mod passthrough;
mod percent;
mod query;
mod request_id;
mod rest;
mod route;
mod rpc;
mod stream;
mod template;
mod transcode;
mod unread;
mod value;

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use mesh::{Channel, Clock, Ids};
use prost_reflect::DescriptorPool;
use tonic::body::Body;
use tower::Service;

use crate::edge::Edge;

pub use crate::errors::DOMAIN;

/// Any error, as bodies have them.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What an operator decides about the edge.
#[derive(Clone)]
pub struct Options {
    /// The largest request body that is read whole; larger ones are refused.
    pub max_body_bytes: usize,
    /// The origins whose pages may call, such as `https://shop.example`; `*` is every origin.
    pub allowed_origins: Vec<String>,
    /// Whether this process wants traffic now; `/readyz` says it.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
    /// What names requests that are refused, unless they are in a trace.
    pub ids: Ids,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_body_bytes: 4 * 1024 * 1024,
            allowed_origins: Vec::new(),
            ready: Arc::new(|| true),
            ids: Ids::new(Clock::system()),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("max_body_bytes", &self.max_body_bytes)
            .field("allowed_origins", &self.allowed_origins)
            .finish_non_exhaustive()
    }
}

/// Why contracts cannot be served at the edge; each is a mistake in a contract.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not an encoded descriptor set.
    #[error("the contracts' descriptors cannot be read: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// An option of an RPC is not the message it should be.
    #[error("{rpc}: its option cannot be read: {source}")]
    Option {
        /// The RPC's full name.
        rpc: String,
        /// What is wrong with the bytes.
        source: prost::DecodeError,
    },
    /// The HTTP mapping of an RPC is wrong.
    #[error("{rpc}: the HTTP mapping `{template}` {problem}")]
    Mapping {
        /// The RPC's full name.
        rpc: String,
        /// The path template as written.
        template: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Two mappings answer the same requests.
    #[error("{first} and {second} both answer {method} {template}")]
    Conflict {
        /// The RPC that came first.
        first: String,
        /// The RPC that came second.
        second: String,
        /// The HTTP method.
        method: http::Method,
        /// The path template of the second.
        template: String,
    },
}

/// The edge as a tower service of HTTP requests. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    edge: Arc<Edge>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gateway").finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway to the services of encoded `google.protobuf.FileDescriptorSet`s, each with its options
    /// and imports; a file that stands in several is read once.
    ///
    /// `channels` gives the way to a service by its full proto name, such as
    /// `tradewind.catalog.v1.CatalogService`; it is asked at every call.
    pub fn new(
        descriptors: &[&[u8]],
        channels: impl Fn(&str) -> Option<Channel> + Send + Sync + 'static,
        options: Options,
    ) -> Result<Self, Error> {
        let mut pool = DescriptorPool::new();
        for set in descriptors {
            pool.decode_file_descriptor_set(*set)?;
        }
        let edge = Edge::new(&pool, Box::new(channels), options)?;
        Ok(Self { edge: Arc::new(edge) })
    }
}

impl<B> Service<Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let edge = self.edge.clone();
        let request = request.map(Body::new);
        Box::pin(async move { Ok(edge.answer(request).await) })
    }
}
