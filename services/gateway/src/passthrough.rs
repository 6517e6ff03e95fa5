//! gRPC as it comes, over HTTP/2: neither body is ever read here.

use http::header::CONTENT_TYPE;
use http::{Request, Response, Version};
use mesh::Status;
use tonic::body::Body;

use crate::edge::Edge;
use crate::errors::{self, Refusal};
use crate::headers;
use crate::request_id::RequestId;

/// Answers a gRPC call through the service's channel.
pub(crate) async fn answer(edge: &Edge, request: Request<Body>, id: &RequestId) -> Response<Body> {
    if request.version() < Version::HTTP_2 {
        return errors::response(&id.on(Refusal::NeedsHttp2.into()));
    }
    forward(edge, request).await.unwrap_or_else(|status| id.on(status).into_http())
}

async fn forward(edge: &Edge, request: Request<Body>) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    let mut metadata = headers::rpc_metadata(&parts.headers);
    if let Some(media_type) = parts.headers.get(CONTENT_TYPE) {
        metadata.insert(CONTENT_TYPE, media_type.clone());
    }
    edge.call_by_path(&parts.uri, metadata, &parts.extensions)?.open(body).await
}
