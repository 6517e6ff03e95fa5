//! Failures as the Connect protocol writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::Full;
use mesh::{Code, Status};
use serde::Serialize;
use serde_json::Value;
use tonic::body::Body;

use crate::{details, errors};

/// A failure as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    code: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

#[derive(Debug, Serialize)]
struct Detail {
    r#type: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<Value>,
}

impl Failure {
    pub(super) fn of(status: &Status) -> Self {
        let details = details::encoded(status).into_iter().map(|detail| Detail {
            r#type: details::name(&detail).to_owned(),
            value: STANDARD_NO_PAD.encode(&detail.value),
            debug: details::known(&detail),
        });
        Self {
            code: name(status.code()),
            message: status.message().to_owned(),
            details: details.collect(),
        }
    }
}

/// The response to a unary call that failed.
pub(super) fn response(status: &Status) -> Response<Body> {
    let body = serde_json::to_vec(&Failure::of(status)).unwrap_or_default();
    let mut response = Response::new(Body::new(Full::from(body)));
    // The protocol's own table, which clients infer codes from, is by code alone.
    *response.status_mut() = errors::http_status_of_code(status.code());
    let headers = response.headers_mut();
    errors::explain(headers, status);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok | Code::Unknown => "unknown",
        Code::Cancelled => "canceled",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
