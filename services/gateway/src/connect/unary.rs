//! Unary calls of the Connect protocol, by POST, and by GET where nothing changes.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use mesh::Status;
use tonic::body::Body;

use super::{Codec, check_headers, failure, is_told};
use crate::call::{Answer, Call};
use crate::edge::Edge;
use crate::errors::Refusal;
use crate::rpc::Rpc;
use crate::{headers, query, value};

/// Answers a POST.
pub(super) async fn post(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    codec: Codec,
) -> Response<Body> {
    let answer = async {
        let (parts, body) = request.into_parts();
        check_headers(&parts.headers, &CONTENT_ENCODING)?;
        let metadata = headers::connect_metadata(&parts.headers)?;
        let call = edge.call(rpc, metadata, &parts.extensions)?;
        let data = edge.collect(body).await?;
        respond(rpc, call, codec, &data).await
    };
    answer.await.unwrap_or_else(|status| failure::response(&status))
}

/// Answers a GET, whose message stands in the query.
pub(super) async fn get(edge: &Edge, rpc: &Rpc, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let answer = async {
        if rpc.streams() || rpc.takes_stream() {
            return Err(Refusal::TakesStream(rpc.method.full_name().to_owned()).into());
        }
        let metadata = headers::connect_metadata(&parts.headers)?;
        let (codec, data) = from_query(parts.uri.query().unwrap_or_default())?;
        let call = edge.call(rpc, metadata, &parts.extensions)?;
        respond(rpc, call, codec, &data).await
    };
    answer.await.unwrap_or_else(|status| failure::response(&status))
}

fn from_query(query: &str) -> Result<(Codec, Bytes), Status> {
    let pairs = query::pairs(query)?;
    let given = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_ref());
    let wrong = |name: &str, problem: &str| Refusal::Parameter {
        name: name.to_owned(),
        problem: problem.to_owned(),
    };
    if given("connect").is_some_and(|version| version != "v1") {
        return Err(wrong("connect", "must be `v1`").into());
    }
    if let Some(other) = given("compression").filter(|it| !matches!(*it, "" | "identity")) {
        return Err(Refusal::Encoding(other.to_owned()).into());
    }
    let codec = given("encoding").and_then(Codec::named);
    let codec = codec.ok_or_else(|| wrong("encoding", "must be `json` or `proto`"))?;
    let message = given("message").ok_or_else(|| wrong("message", "must be given"))?;
    if given("base64") != Some("1") {
        return Ok((codec, Bytes::copy_from_slice(message.as_bytes())));
    }
    let decoded = value::base64(message).ok_or_else(|| wrong("message", "must be base64"))?;
    Ok((codec, decoded.into()))
}

async fn respond(
    rpc: &Rpc,
    call: Call,
    codec: Codec,
    data: &Bytes,
) -> Result<Response<Body>, Status> {
    let message = codec.decode(&rpc.input, data)?;
    let Answer { headers: before, message, trailers } = call.unary(&message).await?;
    let data = codec.encode(&rpc.output, message)?;

    let mut response = Response::new(Body::new(Full::new(data)));
    let sent = response.headers_mut();
    sent.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(match codec {
            Codec::Json => "application/json",
            Codec::Proto => "application/proto",
        }),
    );
    metadata(sent, &before, "");
    metadata(sent, &trailers, "trailer-");
    sent.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Adds metadata under its names, behind a prefix.
fn metadata(sent: &mut HeaderMap, metadata: &HeaderMap, prefix: &str) {
    for (name, value) in metadata {
        if !is_told(name) {
            continue;
        }
        if let Ok(name) = HeaderName::try_from(format!("{prefix}{name}")) {
            sent.append(name, value.clone());
        }
    }
}
