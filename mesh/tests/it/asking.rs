//! Requests, and what is read from answers.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use mesh::{Channel, Mesh, Request, Status};
use mesh_testing::parrot::v1::{Deed, Errand};
use prost::Message;
use tonic::body::Body;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic_types::StatusExt;
use tower::ServiceExt;

/// The RPC that most tests call.
pub(crate) const ACT: &str = "/parrot.v1.ParrotService/Act";

pub(crate) fn errand(deed: Deed) -> Errand {
    Errand { deed: deed.into(), ..Errand::default() }
}

pub(crate) fn saying(text: &str) -> Errand {
    Errand { text: text.to_owned(), ..Errand::default() }
}

/// A request with metadata.
pub(crate) fn with(errand: Errand, metadata: &[(&str, &str)]) -> Request<Errand> {
    let mut request = Request::new(errand);
    for (name, value) in metadata {
        let name: AsciiMetadataKey = name.parse().unwrap();
        let value: AsciiMetadataValue = value.parse().unwrap();
        request.metadata_mut().append(name, value);
    }
    request
}

/// A request with an access token.
pub(crate) fn bearing(errand: Errand, token: &str) -> Request<Errand> {
    with(errand, &[("authorization", &format!("Bearer {token}"))])
}

/// The reason of a failure; its domain must be there too.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert!(!info.domain.is_empty(), "no domain: {status:?}");
    info.reason
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Heads and trailers together.
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn status(&self) -> Status {
        Status::from_header_map(&self.headers).unwrap()
    }

    /// What the headers take on their way.
    pub(crate) fn header_bytes(&self) -> usize {
        self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
    }
}

/// Sends anything at all.
pub(crate) async fn send(
    channel: Channel,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::new(Full::new(body.into()))).unwrap();
    let response = channel.oneshot(request).await.unwrap();
    let (mut parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    parts.headers.extend(collected.trailers().cloned().unwrap_or_default());
    Answer { headers: parts.headers, body: collected.to_bytes() }
}

/// A message behind its flag and length.
pub(crate) fn framed(errand: &impl Message) -> Vec<u8> {
    let message = errand.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), &message].concat()
}

/// A number on the page of metrics; absent counts as none.
pub(crate) fn metric(mesh: &Mesh, line: &str) -> u64 {
    let page = mesh.metrics().page();
    let found = page.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
    // Sums are written with a point.
    found.map_or(0, |number| number.trim_end_matches(".0").parse().unwrap())
}

/// How many calls of an RPC ended with a status.
pub(crate) fn ended(mesh: &Mesh, rpc: &str, status: &str) -> u64 {
    metric(
        mesh,
        &format!(
            "grpc_server_call_duration_seconds_count{{grpc_method=\"parrot.v1.ParrotService/{rpc}\",grpc_status=\"{status}\"}}"
        ),
    )
}

/// How many calls are being answered.
pub(crate) fn in_flight(mesh: &Mesh) -> u64 {
    metric(mesh, "grpc_server_calls_in_flight")
}
