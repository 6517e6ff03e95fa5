//! gRPC as it comes, over HTTP/2: bodies are not read here, but for messages that have to be unpacked.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{Method, Request, Response, Version};
use mesh::Status;
use tonic::body::Body;

use crate::coding::{self, Coding};
use crate::edge::Edge;
use crate::errors::{self, Refusal};
use crate::headers;
use crate::incoming::{Broken, Incoming};
use crate::request_id::RequestId;

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Answers a gRPC call through the service's channel.
pub(crate) async fn answer(
    edge: &Edge,
    request: Request<Body>,
    media_type: &str,
    id: &RequestId,
) -> Response<Body> {
    if request.version() < Version::HTTP_2 {
        return errors::response(&id.on(Refusal::NeedsHttp2.into()));
    }
    if request.method() != Method::POST {
        let (method, path) = (request.method(), request.uri().path());
        let refused = errors::method_not_allowed(method, path, &[Method::POST]);
        return errors::plain(&id.on(refused));
    }
    if !matches!(media_type, "application/grpc" | "application/grpc+proto") {
        let refusal = Refusal::MediaType { got: media_type.to_owned(), wanted: "application/grpc" };
        return errors::plain(&id.on(refusal.into()));
    }
    forward(edge, request).await.unwrap_or_else(|status| {
        let mut response = id.on(status).into_http();
        response.headers_mut().insert("grpc-accept-encoding", coding::KNOWN);
        response
    })
}

async fn forward(edge: &Edge, request: Request<Body>) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    let mut metadata = headers::rpc_metadata(&parts.headers);
    if let Some(media_type) = parts.headers.get(CONTENT_TYPE) {
        metadata.insert(CONTENT_TYPE, media_type.clone());
    }
    let coding = Coding::of(&parts.headers, &ENCODING)?;
    if coding == Coding::Identity {
        return edge.call_by_path(&parts.uri, metadata, &parts.extensions)?.open(body).await;
    }
    // Not every service unpacks messages.
    metadata.remove(ENCODING);
    let call = edge.call_by_path(&parts.uri, metadata, &parts.extensions)?;
    let broken = Broken::default();
    let unpacked = Incoming::new(body, coding, edge.max_body_bytes).into_body(Ok, broken.clone());
    call.open(unpacked).await.map_err(|status| broken.or(status))
}
