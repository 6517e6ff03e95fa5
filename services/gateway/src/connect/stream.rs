//! Streams of the Connect protocol: enveloped messages, then the end of the stream.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use mesh::Status;
use prost_reflect::MessageDescriptor;
use serde::Serialize;
use tonic::body::Body;

use super::failure::Failure;
use super::{Codec, check_version, is_told};
use crate::call::frame;
use crate::coding::{self, Accepted, Coding};
use crate::edge::Edge;
use crate::headers;
use crate::incoming::{Broken, Incoming, PACKED};
use crate::request_id::RequestId;
use crate::rpc::Rpc;
use crate::stream::{self, Encode};

/// The flag of the envelope that ends a stream.
const END: u8 = 0b10;
const CONTENT_ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("connect-accept-encoding");

/// Answers a POST; every failure is told at the end of the stream.
pub(super) async fn post(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    codec: Codec,
    id: &RequestId,
) -> Response<Body> {
    let answer = open(edge, rpc, request, codec, id).await;
    answer.unwrap_or_else(|status| refuse(codec, &id.on(status)))
}

async fn open(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    codec: Codec,
    id: &RequestId,
) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    check_version(&parts.headers)?;
    let coding = Coding::of(&parts.headers, &CONTENT_ENCODING)?;
    let call = edge.call(rpc, headers::connect_metadata(&parts.headers)?, &parts.extensions)?;
    let (incoming, broken) = (Incoming::new(body, coding, edge.max_body_bytes), Broken::default());
    let input = rpc.input.clone();
    let decode = move |message: Bytes| codec.decode(&input, &message);
    let framed = if rpc.takes_stream() {
        incoming.into_body(decode, broken.clone())
    } else {
        let message = decode(edge.only(incoming).await?)?;
        Body::new(Full::new(frame(0, &message)))
    };
    let (metadata, messages) = call.exchange(framed).await.map_err(|status| broken.or(status))?;

    let coding = answers_in(&parts.headers, coding);
    let id = id.clone().answered(&metadata);
    let envelopes = Envelopes { codec, coding, id, broken, output: rpc.output.clone() };
    let mut response = started(codec, stream::body(messages, envelopes));
    if coding == Coding::Gzip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    for (name, value) in &metadata {
        if is_told(name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    Ok(response)
}

/// How answers are coded. A caller that names none takes the one that it sends.
fn answers_in(asked: &HeaderMap, sent: Coding) -> Coding {
    if !asked.contains_key(&ACCEPT_ENCODING) {
        return sent;
    }
    match Accepted::read(asked, &ACCEPT_ENCODING) {
        Accepted::Gzip | Accepted::GzipAlone => Coding::Gzip,
        Accepted::Identity | Accepted::Nothing => Coding::Identity,
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
    headers.insert(ACCEPT_ENCODING, coding::KNOWN);
    response
}

/// A stream that ends with a failure before its first message.
pub(super) fn refuse(codec: Codec, status: &Status) -> Response<Body> {
    started(codec, Body::new(Full::new(end(Err(status)))))
}

struct Envelopes {
    codec: Codec,
    coding: Coding,
    id: RequestId,
    broken: Broken,
    output: MessageDescriptor,
}

impl Encode for Envelopes {
    fn message(&mut self, message: Bytes) -> Result<Bytes, Status> {
        let message = self.codec.encode(&self.output, message)?;
        // Each message is packed by itself, so that none waits for the next.
        let worth_it = self.coding == Coding::Gzip && message.len() >= coding::WORTH_IT;
        let packed = worth_it.then(|| coding::compress(&message)).flatten();
        Ok(packed.map_or_else(|| frame(0, &message), |packed| frame(PACKED, &packed)))
    }

    fn end(&mut self, outcome: Result<HeaderMap, Status>) -> Result<Bytes, Status> {
        let outcome = match self.broken.get() {
            Some(status) => Err(status.clone()),
            None => outcome,
        };
        Ok(end(outcome.map_err(|status| self.id.on(status)).as_ref()))
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
