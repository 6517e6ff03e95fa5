//! Unary calls of the Connect protocol, by POST, and by GET where nothing changes.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use mesh::{Code, Status};
use tonic::body::Body;

use super::{Codec, check_version, failure, is_told};
use crate::call::{Answer, Call};
use crate::coding::Coding;
use crate::edge::Edge;
use crate::errors::{self, Refusal};
use crate::request_id::RequestId;
use crate::rpc::Rpc;
use crate::{headers, query, value};

/// Answers a POST.
pub(super) async fn post(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    codec: Codec,
    id: &RequestId,
) -> Response<Body> {
    let answer = async {
        let (parts, body) = request.into_parts();
        check_version(&parts.headers)?;
        let metadata = headers::connect_metadata(&parts.headers)?;
        let call = edge.call(rpc, metadata, &parts.extensions)?;
        let data = edge.read(&parts.headers, body).await?;
        respond(rpc, call, codec, &data).await
    };
    answer.await.unwrap_or_else(|status| failure::response(&id.on(status)))
}

/// Answers a GET, whose message stands in the query.
pub(super) async fn get(
    edge: &Edge,
    rpc: &Rpc,
    request: Request<Body>,
    id: &RequestId,
) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let answer = async {
        if rpc.streams() || rpc.takes_stream() {
            return Err(Refusal::Streams(rpc.method.full_name().to_owned()).into());
        }
        let metadata = headers::connect_metadata(&parts.headers)?;
        let (codec, coding, data) = from_query(parts.uri.query().unwrap_or_default())?;
        let data = coding.decode(data, edge.max_body_bytes).await?;
        let call = edge.call(rpc, metadata, &parts.extensions)?;
        respond(rpc, call, codec, &data).await
    };
    answer.await.unwrap_or_else(|status| {
        let status = id.on(status);
        // A codec that is not known is a matter of HTTP, as it is where a body names it.
        match errors::http_status(&status) {
            StatusCode::UNSUPPORTED_MEDIA_TYPE if status.code() != Code::Unimplemented => {
                errors::response(&status)
            }
            _ => failure::response(&status),
        }
    })
}

fn from_query(query: &str) -> Result<(Codec, Coding, Bytes), Status> {
    let pairs = query::pairs(query)?;
    let given = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_ref());
    let wrong = |name: &str, problem: &str| Refusal::Parameter {
        name: name.to_owned(),
        problem: problem.to_owned(),
    };
    if given("connect").is_some_and(|version| version != "v1") {
        return Err(wrong("connect", "must be `v1`").into());
    }
    let coding = Coding::named(given("compression").unwrap_or_default())?;
    let codec = given("encoding").ok_or_else(|| wrong("encoding", "must be `json` or `proto`"))?;
    let codec = Codec::named(codec)
        .ok_or_else(|| Refusal::MediaType { got: codec.to_owned(), wanted: "json" })?;
    let message = given("message").ok_or_else(|| wrong("message", "must be given"))?;
    if given("base64") != Some("1") {
        return Ok((codec, coding, Bytes::copy_from_slice(message.as_bytes())));
    }
    let decoded = value::base64(message).ok_or_else(|| wrong("message", "must be base64"))?;
    Ok((codec, coding, decoded.into()))
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
