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
use crate::coding::{self, Coding};
use crate::edge::Edge;
use crate::errors::{self, Refusal};
use crate::headers;
use crate::incoming::{Broken, Incoming};
use crate::request_id::RequestId;
use crate::rpc::Rpc;
use crate::value::BASE64;

/// The flag of the frame that holds trailers.
const TRAILERS: u8 = 0x80;
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
        return errors::plain(&id.on(refusal.into()));
    };
    if request.method() != Method::POST {
        let (method, path) = (request.method(), request.uri().path());
        let refused = errors::method_not_allowed(method, path, &[Method::POST]);
        return errors::plain(&id.on(refused));
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
    let body = match form {
        Form::Binary => body,
        // Padding may stand anywhere, so text is only read whole.
        Form::Text => Body::new(Full::new(form.decode(edge.collect(body).await?)?)),
    };
    let (incoming, broken) = (Incoming::new(body, coding, edge.max_body_bytes), Broken::default());
    let framed = if edge.rpc(parts.uri.path()).is_some_and(Rpc::takes_stream) {
        incoming.into_body(Ok, broken.clone())
    } else {
        Body::new(Full::new(call::frame(0, &edge.only(incoming).await?)))
    };
    let response = call.open(framed).await.map_err(|status| broken.or(status))?;
    let ended = call::outcome(response.headers()).transpose()?.is_some();
    let (mut parts, body) = response.into_parts();
    // An answer that is trailers alone ended well when it got here.
    let body = if ended {
        Body::new(Full::new(form.encode(ok_trailers())))
    } else {
        web_body(body, form, broken)
    };
    parts.headers.insert(CONTENT_TYPE, form.media_type());
    Ok(Response::from_parts(parts, body))
}

fn failed(status: &Status, form: Form) -> Response<Body> {
    let frame = form.encode(trailers_of(status));
    let mut response = Response::new(Body::new(Full::new(frame)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, form.media_type());
    headers.insert("grpc-accept-encoding", coding::KNOWN);
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
fn web_body(body: Body, form: Form, broken: Broken) -> Body {
    let frames = stream::unfold(Some((body, broken)), move |open| async move {
        let (mut body, broken) = open?;
        let (piece, open) = match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => (data, Some((body, broken))),
                Err(frame) => match broken.get() {
                    Some(status) => (trailers_of(status), None),
                    None => (trailer_frame(&frame.into_trailers().unwrap_or_default()), None),
                },
            },
            Some(Err(status)) => (trailers_of(&broken.or(status)), None),
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
