//! Server streams of the Connect protocol: enveloped messages, then the end of the stream.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use mesh::Status;
use prost_reflect::MessageDescriptor;
use serde::Serialize;
use tonic::body::Body;

use super::failure::Failure;
use super::{Codec, check_headers, is_told};
use crate::call::{frame, unframe};
use crate::edge::Edge;
use crate::errors::Refusal;
use crate::headers;
use crate::rpc::Rpc;
use crate::stream::{self, Encode};

/// The flag of the envelope that ends a stream.
const END: u8 = 0b10;
const CONTENT_ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");

/// Answers a POST; every failure is told at the end of the stream.
pub(super) async fn post(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    codec: Codec,
) -> Response<Body> {
    open(edge, rpc, request, codec).await.unwrap_or_else(|status| refuse(codec, &status))
}

async fn open(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    codec: Codec,
) -> Result<Response<Body>, Status> {
    if rpc.takes_stream() {
        return Err(Refusal::TakesStream(rpc.method.full_name().to_owned()).into());
    }
    let (parts, body) = request.into_parts();
    check_headers(&parts.headers, &CONTENT_ENCODING)?;
    let call = edge.call(rpc, headers::connect_metadata(&parts.headers)?, &parts.extensions)?;
    let data = only_message(edge.collect(body).await?)?;
    let message = codec.decode(&rpc.input, &data)?;
    let (metadata, messages) = call.stream(&message).await?;

    let envelopes = Envelopes { codec, output: rpc.output.clone() };
    let mut response = started(codec, stream::body(messages, envelopes));
    for (name, value) in &metadata {
        if is_told(name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    Ok(response)
}

/// The one message of a request to a server stream.
fn only_message(body: Bytes) -> Result<Bytes, Status> {
    let mut buffer = BytesMut::from(body);
    let framed = unframe(&mut buffer).filter(|_| buffer.is_empty());
    match framed {
        Some((0, message)) => Ok(message),
        Some((flag, _)) if flag & 1 == 1 => Err(Refusal::Encoding("compressed".into()).into()),
        _ => Err(Refusal::Framing("it must be one enveloped message").into()),
    }
}

fn started(codec: Codec, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(match codec {
            Codec::Json => "application/connect+json",
            Codec::Proto => "application/connect+proto",
        }),
    );
    headers.insert("connect-accept-encoding", HeaderValue::from_static("identity"));
    response
}

/// A stream that ends with a failure before its first message.
pub(super) fn refuse(codec: Codec, status: &Status) -> Response<Body> {
    started(codec, Body::new(Full::new(end(Err(status)))))
}

struct Envelopes {
    codec: Codec,
    output: MessageDescriptor,
}

impl Encode for Envelopes {
    fn message(&mut self, message: Bytes) -> Result<Bytes, Status> {
        Ok(frame(0, &self.codec.encode(&self.output, message)?))
    }

    fn end(&mut self, outcome: Result<HeaderMap, Status>) -> Result<Bytes, Status> {
        Ok(end(outcome.as_ref()))
    }
}

#[derive(Serialize)]
struct EndOfStream<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

fn end(outcome: Result<&HeaderMap, &Status>) -> Bytes {
    let (trailers, error) = match outcome {
        Ok(trailers) => (trailers, None),
        Err(status) => (status.metadata().as_ref(), Some(Failure::of(status))),
    };
    let mut metadata: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in trailers {
        if let (true, Ok(value)) = (is_told(name), value.to_str()) {
            metadata.entry(name.as_str()).or_default().push(value);
        }
    }
    let last = serde_json::to_vec(&EndOfStream { metadata, error }).unwrap_or_default();
    frame(END, &last)
}
