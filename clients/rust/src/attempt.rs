//! One try of a call: what goes out, and what has come back.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use mesh::{Code, Status};
use tonic::body::Body;

/// What a call without a stream has come to, in whole.
pub(crate) struct Answer {
    head: http::response::Parts,
    message: Bytes,
    trailers: Option<HeaderMap>,
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(response: Response<Body>) -> Result<Self, Status> {
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned();
        Ok(Self { head, message: body.to_bytes(), trailers })
    }

    /// Why the call failed, if it did.
    pub(crate) fn failure(&self) -> Option<Status> {
        let trailers = self.trailers.as_ref().and_then(Status::from_header_map);
        // A refusal without a message has its status in the headers.
        let status = trailers.or_else(|| Status::from_header_map(&self.head.headers))?;
        (status.code() != Code::Ok).then_some(status)
    }

    /// The answer as it came.
    pub(crate) fn into_response(self) -> Response<Body> {
        let trailers = self.trailers.map(Ok::<_, Infallible>);
        let body = Full::new(self.message).with_trailers(std::future::ready(trailers));
        Response::from_parts(self.head, Body::new(body))
    }
}
