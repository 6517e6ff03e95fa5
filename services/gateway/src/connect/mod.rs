//! The Connect protocol (<https://connectrpc.com/docs/protocol>): unary calls and server streams.

mod failure;
mod stream;
mod unary;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use mesh::Status;
use prost::Message;
use prost_reflect::MessageDescriptor;
use tonic::body::Body;

use crate::edge::Edge;
use crate::errors::{self, Refusal};
use crate::request_id::RequestId;
use crate::rpc::Rpc;
use crate::{headers, json};

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Codec {
    Json,
    Proto,
}

impl Codec {
    fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "proto" => Some(Self::Proto),
            _ => None,
        }
    }

    /// The encoded message that a caller sent in this codec.
    fn decode(self, message: &MessageDescriptor, data: &Bytes) -> Result<Bytes, Status> {
        match self {
            Self::Proto => Ok(data.clone()),
            Self::Json => json::parse(message, data).map(|read| read.encode_to_vec().into()),
        }
    }

    /// An encoded message, as a caller of this codec reads it.
    fn encode(self, message: &MessageDescriptor, encoded: Bytes) -> Result<Bytes, Status> {
        match self {
            Self::Proto => Ok(encoded),
            Self::Json => json::write(&json::decode(message, encoded)?),
        }
    }
}

/// Answers a request to an RPC's own path.
pub(crate) async fn answer(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    media_type: &str,
    id: &RequestId,
) -> Response<Body> {
    let method = request.method();
    if let (&Method::GET | &Method::HEAD, true) = (method, rpc.without_effect) {
        return unary::get(edge, rpc, request, id).await;
    }
    if method != Method::POST {
        let allowed =
            if rpc.without_effect { vec![Method::GET, Method::POST] } else { vec![Method::POST] };
        let refused = errors::method_not_allowed(method, rpc.uri.path(), &allowed);
        return errors::plain(&id.on(refused));
    }
    let codec = media_type.strip_prefix("application/").unwrap_or_default();
    if rpc.streams() || rpc.takes_stream() {
        let codec = codec.strip_prefix("connect+").and_then(Codec::named);
        return match codec {
            Some(codec) => stream::post(edge, rpc, request, codec, id).await,
            None => wrong_media_type(media_type, &STREAMS, id),
        };
    }
    match Codec::named(codec) {
        Some(codec) => unary::post(edge, rpc, request, codec, id).await,
        None => wrong_media_type(media_type, &UNARY, id),
    }
}

/// Answers a call of an RPC that does not exist.
pub(crate) fn unknown(path: &str, media_type: &str, id: &RequestId) -> Response<Body> {
    let codec = media_type.strip_prefix("application/connect+").and_then(Codec::named);
    match codec {
        Some(codec) => {
            let refusal = Refusal::UnknownRpc(path.to_owned());
            stream::refuse(codec, &id.on(refusal.into()))
        }
        None => errors::plain(&id.on(Refusal::UnknownRpc(path.to_owned()).into())),
    }
}

/// Whether a request that is to no known RPC is one of this protocol all the same.
pub(crate) fn is_spoken(media_type: &str, headers: &HeaderMap) -> bool {
    media_type.starts_with("application/connect+") || headers.contains_key(VERSION)
}

/// What may be posted: the media type to advise, and all that are known.
type Known = (&'static str, &'static str);
const UNARY: Known = ("application/json", "application/json, application/proto");
const STREAMS: Known =
    ("application/connect+json", "application/connect+json, application/connect+proto");

fn wrong_media_type(got: &str, (wanted, known): &Known, id: &RequestId) -> Response<Body> {
    let refusal = Refusal::MediaType { got: got.to_owned(), wanted };
    let mut response = errors::plain(&id.on(refusal.into()));
    response.headers_mut().insert("accept-post", HeaderValue::from_static(known));
    response
}

/// The header that clients of the protocol say its version in.
const VERSION: &str = "connect-protocol-version";

/// Refuses versions of the protocol that are not known.
fn check_version(headers: &HeaderMap) -> Result<(), Status> {
    let version = headers.get(VERSION);
    if version.is_some_and(|version| version != "1") {
        return Err(Refusal::Header { name: VERSION, wanted: "`1`" }.into());
    }
    Ok(())
}

/// Whether metadata of an answer is sent on; binary metadata is base64 in gRPC and Connect alike.
fn is_told(name: &HeaderName) -> bool {
    let binary = name.as_str().ends_with("-bin") && !name.as_str().starts_with("grpc-");
    binary || headers::is_for_callers(name)
}
