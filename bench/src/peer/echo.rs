//! A bare tonic server: no layer, no contract, its messages as they come.

use std::convert::Infallible;
use std::task::{Context, Poll};

use anyhow::Result;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Ready, ready};
use http::{Request, Response};
use tokio::net::TcpListener;

use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic_prost::ProstCodec;
use tower::Service;

/// Where it is asked.
pub(crate) const ECHO: &str = "/bench.Echo/Echo";

/// So many bytes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) bytes: Vec<u8>,
}

/// Serves on tonic's own server, without delay of small packets: connections that are handed to it have
/// to bring that themselves.
pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = tonic::transport::Server::builder().add_service(Echo);
    Ok(served.serve_with_incoming(connections).await?)
}

/// What generated code makes of a service with one RPC.
#[derive(Debug, Clone)]
pub(crate) struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        async move {
            let mut grpc = Grpc::new(ProstCodec::<Payload, Payload>::default());
            Ok(grpc.unary(Back, request).await)
        }
        .boxed()
    }
}

struct Back;

impl UnaryService<Payload> for Back {
    type Response = Payload;
    type Future = Ready<Result<tonic::Response<Payload>, Status>>;

    fn call(&mut self, request: tonic::Request<Payload>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}
