//! Calls over gRPC, for someone who is signed in.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request};
use mesh::{Channel, Status};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

/// What tonic's clients take for an error of their transport.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// tonic's own channel, as its documentation makes it.
pub(crate) async fn bare(address: SocketAddr) -> Result<tonic::transport::Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    endpoint.connect().await.with_context(|| format!("nothing answers at {address}"))
}

/// A channel to a gateway over a connection of its own.
pub(crate) async fn open(address: SocketAddr) -> Result<Channel> {
    let channel = bare(address).await?;
    Ok(BoxCloneSyncService::new(channel.map_err(|error| Status::from_error(Box::new(error)))))
}

/// The same channel for someone with a token.
pub(crate) fn with_token(channel: Channel, token: &str) -> Result<Channel> {
    let value = HeaderValue::try_from(format!("Bearer {token}"))?;
    Ok(BoxCloneSyncService::new(service_fn(move |mut request: Request<Body>| {
        request.headers_mut().insert(http::header::AUTHORIZATION, value.clone());
        channel.clone().oneshot(request)
    })))
}

/// One call by its path, with any message that its server can read.
pub(crate) async fn call<S, M, A>(service: S, path: &'static str, message: M) -> Result<A>
where
    S: GrpcService<Body>,
    S::Error: Into<BoxError>,
    S::ResponseBody: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
    M: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let mut grpc = tonic::client::Grpc::new(service);
    grpc.ready().await.map_err(|error| anyhow::anyhow!(error.into()))?;
    let path = PathAndQuery::from_static(path);
    let codec = ProstCodec::<M, A>::default();
    let answer = grpc.unary(tonic::Request::new(message), path, codec).await.map_err(said)?;
    Ok(answer.into_inner())
}

/// A refused call, as people read it.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
pub(crate) fn said(status: Status) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", mesh::metrics::status_name(status.code()), status.message())
}
