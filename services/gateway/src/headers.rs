//! Headers from outside as metadata, and metadata as headers.
//!
//! Invariant: what services tell each other by header never comes from outside.

use std::time::Duration;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};
use mesh::Status;

use crate::errors::Refusal;

/// Headers by which the mesh itself says who calls; from outside they would be claims.
const OF_THE_MESH: [&str; 5] = [
    "tradewind-service",
    "tradewind-acting",
    "tradewind-on-behalf",
    "tradewind-project",
    "tradewind-client-address",
];

/// Headers of a connection, of HTTP itself or of a protocol; they mean nothing to a service.
const OF_HTTP: [&str; 18] = [
    "connection",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-grpc-web",
];
const OF_HTTP_PREFIXES: [&str; 7] =
    ["accept", "access-control-", "connect-", "content-", "if-", "sec-", "x-forwarded-"];

/// The metadata of a REST call: only what is known to matter.
pub(crate) fn rest_metadata(headers: &HeaderMap) -> Result<HeaderMap, Status> {
    let wanted = |name: &str| {
        matches!(
            name,
            "authorization" | "idempotency-key" | "traceparent" | "tracestate" | "last-event-id"
        ) || name.starts_with("tradewind-")
    };
    let mut metadata = chosen(headers, |name| wanted(name) && !OF_THE_MESH.contains(&name));
    if let Some(limit) = rest_timeout(headers)? {
        metadata.insert(GRPC_TIMEOUT, limit);
    }
    Ok(metadata)
}

/// The metadata of a call by an RPC protocol, whose callers choose their own.
pub(crate) fn rpc_metadata(headers: &HeaderMap) -> HeaderMap {
    chosen(headers, |name| {
        !OF_THE_MESH.contains(&name)
            && !OF_HTTP.contains(&name)
            && !OF_HTTP_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The metadata of a Connect call, with its deadline.
pub(crate) fn connect_metadata(headers: &HeaderMap) -> Result<HeaderMap, Status> {
    let mut metadata = chosen(&rpc_metadata(headers), |name| !name.starts_with("grpc-"));
    if let Some(value) = headers.get("connect-timeout-ms") {
        let wanted = Refusal::Header {
            name: "connect-timeout-ms",
            wanted: "a whole number of milliseconds, 10 digits at most",
        };
        let text = value.to_str().unwrap_or_default();
        let digits =
            (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let millis = text.parse().ok().filter(|_| digits).ok_or(wanted)?;
        metadata.insert(GRPC_TIMEOUT, grpc_timeout(Duration::from_millis(millis)));
    }
    Ok(metadata)
}

fn chosen(headers: &HeaderMap, wanted: impl Fn(&str) -> bool) -> HeaderMap {
    let mut metadata = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if wanted(name.as_str()) {
            metadata.append(name.clone(), value.clone());
        }
    }
    metadata
}

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

fn rest_timeout(headers: &HeaderMap) -> Result<Option<HeaderValue>, Status> {
    let Some(value) = headers.get("x-request-timeout") else { return Ok(None) };
    let seconds = value.to_str().ok().and_then(|text| text.parse::<f64>().ok());
    let limit = seconds.filter(|seconds| *seconds > 0.0);
    let limit = limit.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let wanted =
        Refusal::Header { name: "x-request-timeout", wanted: "a number of seconds over 0" };
    Ok(Some(grpc_timeout(limit.ok_or(wanted)?)))
}

/// A duration in the finest unit that leaves it the 8 digits it may have.
fn grpc_timeout(limit: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let text = if limit.as_millis() <= MOST {
        format!("{}m", limit.as_millis().max(1))
    } else {
        format!("{}S", u128::from(limit.as_secs()).min(MOST))
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("1m"))
}

/// Adds metadata of an answer to the headers of a response, without what belongs to gRPC or HTTP.
pub(crate) fn from_metadata(headers: &mut HeaderMap, metadata: &HeaderMap) {
    for (name, value) in metadata {
        if is_for_callers(name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// Whether metadata of an answer is the caller's to see.
pub(crate) fn is_for_callers(name: &HeaderName) -> bool {
    let text = name.as_str();
    let of_http = [
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::DATE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    !text.starts_with("grpc-")
        && !text.starts_with("access-control-")
        && !text.ends_with("-bin")
        && !of_http.contains(name)
}

/// Puts a header of the response that a status will become into its metadata.
pub(crate) fn attach(status: &mut Status, name: &HeaderName, value: &str) {
    let Ok(value) = HeaderValue::from_str(value) else { return };
    status.metadata_mut().as_mut().insert(name, value);
}

/// The media type of a header, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}
