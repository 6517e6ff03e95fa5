//! gRPC-Web: gRPC for browsers, with trailers at the end of the body, binary or as base64.

use std::fmt::Write;

use base64::Engine;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use mesh::Status;
use tonic::body::Body;

use crate::call::{self, Call};
use crate::coding::Coding;
use crate::edge::Edge;
use crate::errors::{self, Refusal};
use crate::headers;
use crate::request_id::RequestId;
use crate::value::BASE64;

/// The flag of the frame that holds trailers.
const TRAILERS: u8 = 0x80;
/// The flag of a frame whose message is packed.
const PACKED: u8 = 0b1;
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Binary,
    Text,
}

impl Form {
    fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/grpc-web" | "application/grpc-web+proto" => Some(Self::Binary),
            "application/grpc-web-text" | "application/grpc-web-text+proto" => Some(Self::Text),
            _ => None,
        }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Binary => "application/grpc-web+proto",
            Self::Text => "application/grpc-web-text+proto",
        })
    }

    /// Each piece is padded by itself, as the protocol has it, so that nothing waits for the next.
    fn encode(self, data: Bytes) -> Bytes {
        match self {
            Self::Binary => data,
            Self::Text => BASE64.encode(data).into(),
        }
    }

    fn decode(self, data: Bytes) -> Result<Bytes, Status> {
        match self {
            Self::Binary => Ok(data),
            Self::Text => text(&data).ok_or_else(|| Refusal::Framing("it is not base64").into()),
        }
    }
}

/// Base64 of several pieces, each of which may be padded.
fn text(mut data: &[u8]) -> Option<Bytes> {
    let mut decoded = BytesMut::with_capacity(data.len() / 4 * 3);
    while !data.is_empty() {
        let padding = data.iter().position(|byte| *byte == b'=');
        let end = padding.map_or(data.len(), |at| at.next_multiple_of(4).min(data.len()));
        // Padding at a multiple of four would be a piece of padding alone.
        let (piece, rest) = data.split_at_checked(end).filter(|(piece, _)| !piece.is_empty())?;
        decoded.extend_from_slice(&BASE64.decode(piece).ok()?);
        data = rest;
    }
    Some(decoded.freeze())
}

/// Answers a gRPC-Web call through the service's channel.
pub(crate) async fn answer(
    edge: &Edge,
    request: Request<Body>,
    media_type: &str,
    id: &RequestId,
) -> Response<Body> {
    let Some(form) = Form::of(media_type) else {
        let wanted = "application/grpc-web+proto";
        let refusal = Refusal::MediaType { got: media_type.to_owned(), wanted };
        return errors::response(&id.on(refusal.into()));
    };
    if request.method() != Method::POST {
        let (method, path) = (request.method(), request.uri().path());
        let refused = errors::method_not_allowed(method, path, &[Method::POST]);
        return errors::response(&id.on(refused));
    }
    match forward(edge, request, form).await {
        Ok(response) => response,
        Err(status) => failed(&id.on(status), form),
    }
}

async fn forward(
    edge: &Edge,
    request: Request<Body>,
    form: Form,
) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    let coding = Coding::of(&parts.headers, &ENCODING)?;
    let mut metadata = headers::rpc_metadata(&parts.headers);
    // Messages go on unpacked, since not every service unpacks them.
    metadata.remove(ENCODING);
    metadata.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let call: Call = edge.call_by_path(&parts.uri, metadata, &parts.extensions)?;
    let mut framed = form.decode(edge.collect(body).await?)?;
    if coding != Coding::Identity {
        framed = unpacked(framed, coding, edge.max_body_bytes).await?;
    }
    let response = call.open(Body::new(Full::new(framed))).await?;
    let ended = call::outcome(response.headers()).transpose()?.is_some();
    let (mut parts, body) = response.into_parts();
    // An answer that is trailers alone ended well when it got here.
    let body =
        if ended { Body::new(Full::new(form.encode(ok_trailers()))) } else { web_body(body, form) };
    parts.headers.insert(CONTENT_TYPE, form.media_type());
    Ok(Response::from_parts(parts, body))
}

/// The one framed message of a body, unpacked. Several would cost more to unpack than they are worth.
async fn unpacked(framed: Bytes, coding: Coding, limit: usize) -> Result<Bytes, Status> {
    let mut buffer = BytesMut::from(framed);
    let only = call::unframe(&mut buffer).filter(|_| buffer.is_empty());
    let message = match only {
        Some((0, message)) => message,
        Some((PACKED, message)) => coding.decode(message, limit).await?,
        _ => return Err(Refusal::Framing("it must be one framed message").into()),
    };
    Ok(call::frame(0, &message))
}

fn failed(status: &Status, form: Form) -> Response<Body> {
    let frame = form.encode(trailers_of(status));
    let mut response = Response::new(Body::new(Full::new(frame)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, form.media_type());
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip, identity"));
    response
}

fn trailers_of(status: &Status) -> Bytes {
    let mut trailers = HeaderMap::new();
    // Statuses whose text cannot be a header still say their code.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from(status.code() as i32));
    }
    trailer_frame(&trailers)
}

fn ok_trailers() -> Bytes {
    call::frame(TRAILERS, b"grpc-status: 0\r\n")
}

fn trailer_frame(trailers: &HeaderMap) -> Bytes {
    let mut text = String::new();
    for (name, value) in trailers {
        if let Ok(value) = value.to_str() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
    }
    call::frame(TRAILERS, text.as_bytes())
}

/// Data as it comes, then the trailers as the last frame.
fn web_body(body: Body, form: Form) -> Body {
    let frames = stream::unfold(Some(body), move |open| async move {
        let mut body = open?;
        let (piece, open) = match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => (data, Some(body)),
                Err(frame) => (trailer_frame(&frame.into_trailers().unwrap_or_default()), None),
            },
            Some(Err(status)) => (trailers_of(&status), None),
            None => (trailers_of(&Refusal::BadAnswer.into()), None),
        };
        Some((Ok::<_, Status>(Frame::data(form.encode(piece))), open))
    });
    Body::new(StreamBody::new(frames))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_of_base64_come_back_as_one(pieces in proptest::collection::vec(".{1,9}", 0..6)) {
            let encoded: String = pieces.iter().map(|piece| BASE64.encode(piece)).collect();
            prop_assert_eq!(text(encoded.as_bytes()).unwrap(), pieces.concat());
        }

        #[test]
        fn no_text_makes_decoding_panic(data in "[A-Za-z0-9+/=\\-]{0,40}") {
            let _ = text(data.as_bytes());
        }
    }
}
