//! What a request of the suite says of its answer, and what an answer says of its request.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use mesh::{Code, Status};
use prost::{Message, Name};
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic_types::pb;

use crate::contracts::conformance::conformance_payload::RequestInfo;
use crate::contracts::conformance::{Error, Header};

/// A message as the suite wants it told back.
pub(super) fn any<M: Message + Name>(message: &M) -> Any {
    let type_url = format!("type.googleapis.com/{}", M::full_name());
    Any { type_url, value: message.encode_to_vec() }
}

/// Headers of an answer, by the suite's list of them.
pub(super) fn metadata(headers: &[Header]) -> Result<HeaderMap, Status> {
    let mut map = HeaderMap::new();
    for header in headers {
        let wrong = || Status::invalid_argument(format!("`{}` is no header", header.name));
        let name = HeaderName::try_from(&header.name).map_err(|_| wrong())?;
        for value in &header.value {
            let value = HeaderValue::try_from(value).map_err(|_| wrong())?;
            map.append(name.clone(), value);
        }
    }
    Ok(map)
}

/// What was seen of a request.
pub(super) fn request_info(metadata: &MetadataMap, requests: Vec<Any>) -> RequestInfo {
    let headers = metadata.as_ref();
    let request_headers = headers.keys().map(|name| {
        let values = headers.get_all(name).iter();
        let values = values.filter_map(|value| value.to_str().ok()).map(str::to_owned);
        Header { name: name.to_string(), value: values.collect() }
    });
    RequestInfo {
        request_headers: request_headers.collect(),
        timeout_ms: metadata.get("grpc-timeout").and_then(|value| millis(value.to_str().ok()?)),
        requests,
        connect_get_info: None,
    }
}

/// The milliseconds of a `grpc-timeout`.
fn millis(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok()?;
    match unit {
        "H" => Some(number * 3_600_000),
        "M" => Some(number * 60_000),
        "S" => Some(number * 1000),
        "m" => Some(number),
        "u" => Some(number / 1000),
        "n" => Some(number / 1_000_000),
        _ => None,
    }
}

/// The failure that a definition asks for, with this beside its own details.
pub(super) fn failure(error: Error, info: Option<&RequestInfo>, metadata: HeaderMap) -> Status {
    let code = Code::from(error.code);
    let message = error.message.unwrap_or_default();
    let details = error.details.into_iter().chain(info.map(any)).collect();
    let status = pb::Status { code: error.code, message: message.clone(), details };
    Status::with_details_and_metadata(
        code,
        message,
        status.encode_to_vec().into(),
        MetadataMap::from_headers(metadata),
    )
}

/// Waits for as long as a definition says.
pub(super) async fn wait(millis: u32) {
    tokio::time::sleep(Duration::from_millis(millis.into())).await;
}
