//! Why the gateway itself did not do what it was asked, and what a status is over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use mesh::{Code, Detail, Failure, Status};
use serde::Serialize;
use tonic::body::Body;
use tonic_types::StatusExt;

use crate::{coding, details, headers, request_id};

/// The domain of `ErrorInfo` for what the gateway itself refuses.
pub const DOMAIN: &str = "gateway.tradewind";

/// Why the gateway refused a request, or could not bring its answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("nothing answers {0} {1}; /openapi.json lists what does")]
    NoRoute(Method, String),
    #[error("{1} does not answer {0}; see the allow header")]
    MethodNotAllowed(Method, String),
    #[error("there is no RPC {0}")]
    UnknownRpc(String),
    #[error("the path has broken percent-encoding")]
    MalformedPath,
    #[error("the query has broken percent-encoding near `{0}`")]
    MalformedQuery(String),
    #[error("the parameter `{name}` {problem}")]
    Parameter { name: String, problem: String },
    #[error("the body's field `{field}`: {problem}")]
    Field { field: String, problem: String },
    #[error("the body is not JSON: {0}")]
    MalformedJson(String),
    #[error("the body is not a message of its contract: {0}")]
    MalformedMessage(String),
    #[error("the body is nested more than {0} deep")]
    TooDeep(usize),
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body could not be read to its end")]
    BodyCut,
    #[error("the body did not come whole within {0:?}")]
    BodySlow(Duration),
    #[error("the content type `{got}` is not understood here; send `content-type: {wanted}`")]
    MediaType { got: String, wanted: &'static str },
    #[error("the encoding `{0}` is not understood here; send gzip or identity")]
    Encoding(String),
    #[error("the body is not what its encoding says: {0}")]
    BrokenCoding(String),
    #[error("the accept-encoding header rules out identity and gzip, and there is nothing else")]
    NotAcceptable,
    #[error("the header `{name}` must be {wanted}")]
    Header { name: &'static str, wanted: &'static str },
    #[error("the request is not framed as its protocol wants: {0}")]
    Framing(&'static str),
    #[error("gRPC needs HTTP/2; over HTTP/1.1, call with gRPC-Web or Connect")]
    NeedsHttp2,
    #[error("{0} streams; call it by POST")]
    Streams(String),
    #[error("the RPC takes one message, and the request has none or several")]
    NotOne,
    #[error("a message is compressed, and no header says how")]
    UnnamedCoding,
    #[error("{0} is not running here at the moment")]
    NoService(String),
    #[error("the service's answer cannot be read")]
    BadAnswer,
}

impl Failure for Refusal {
    const DOMAIN: &'static str = DOMAIN;

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::NoRoute(..) => (Code::NotFound, "NO_ROUTE"),
            Self::MethodNotAllowed(..) => (Code::Unimplemented, METHOD_NOT_ALLOWED),
            Self::UnknownRpc(_) => (Code::Unimplemented, UNKNOWN_METHOD),
            Self::MalformedPath => (Code::InvalidArgument, "MALFORMED_PATH"),
            Self::MalformedQuery(_) => (Code::InvalidArgument, "MALFORMED_QUERY"),
            Self::Parameter { .. } => (Code::InvalidArgument, "INVALID_PARAMETER"),
            Self::Field { .. } => (Code::InvalidArgument, "INVALID_FIELD"),
            Self::MalformedJson(_) => (Code::InvalidArgument, "MALFORMED_JSON"),
            Self::MalformedMessage(_) => (Code::InvalidArgument, "MALFORMED_MESSAGE"),
            Self::TooDeep(_) => (Code::InvalidArgument, "BODY_TOO_DEEP"),
            Self::TooLarge(_) => (Code::ResourceExhausted, BODY_TOO_LARGE),
            Self::BodyCut => (Code::Cancelled, "BODY_CUT"),
            Self::BodySlow(_) => (Code::DeadlineExceeded, BODY_TOO_SLOW),
            Self::MediaType { .. } => (Code::InvalidArgument, UNSUPPORTED_MEDIA_TYPE),
            Self::Encoding(_) => (Code::Unimplemented, UNSUPPORTED_ENCODING),
            Self::BrokenCoding(_) => (Code::InvalidArgument, "MALFORMED_ENCODING"),
            Self::NotAcceptable => (Code::InvalidArgument, NOT_ACCEPTABLE),
            Self::Header { .. } => (Code::InvalidArgument, "INVALID_HEADER"),
            Self::Framing(_) => (Code::InvalidArgument, "MALFORMED_FRAME"),
            Self::NeedsHttp2 => (Code::Unimplemented, HTTP2_REQUIRED),
            Self::Streams(_) => (Code::Unimplemented, "STREAMS"),
            // By gRPC's own table of codes, which Connect follows.
            Self::NotOne => (Code::Unimplemented, "NOT_ONE_MESSAGE"),
            Self::UnnamedCoding => (Code::Internal, "UNNAMED_ENCODING"),
            Self::NoService(_) => (Code::Unavailable, "SERVICE_NOT_RUNNING"),
            Self::BadAnswer => (Code::Internal, "MALFORMED_ANSWER"),
        }
    }

    fn detail(&self) -> Detail {
        let fields = match self {
            Self::Parameter { name, problem } => vec![(name.clone(), problem.clone())],
            Self::Field { field, problem } => vec![(field.clone(), problem.clone())],
            _ => Vec::new(),
        };
        Detail { fields, ..Detail::default() }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let unknown_coding = matches!(refusal, Refusal::Encoding(_));
        let mut status = mesh::status(refusal);
        if unknown_coding {
            status.metadata_mut().as_mut().insert(ACCEPT_ENCODING, coding::KNOWN);
        }
        status
    }
}

const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
const UNKNOWN_METHOD: &str = "UNKNOWN_METHOD";
const BODY_TOO_LARGE: &str = "BODY_TOO_LARGE";
const BODY_TOO_SLOW: &str = "BODY_TOO_SLOW";
const NOT_ACCEPTABLE: &str = "NOT_ACCEPTABLE";
const UNSUPPORTED_ENCODING: &str = "UNSUPPORTED_ENCODING";
const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
const HTTP2_REQUIRED: &str = "HTTP2_REQUIRED";

/// The refusal of a method, with the methods that are answered.
pub(crate) fn method_not_allowed(method: &Method, path: &str, allowed: &[Method]) -> Status {
    let mut status = Status::from(Refusal::MethodNotAllowed(method.clone(), path.to_owned()));
    headers::attach(&mut status, &ALLOW, &allow(allowed));
    status
}

/// The value of an `Allow` header; where GET is answered, so are HEAD and, everywhere, OPTIONS.
pub(crate) fn allow(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// The HTTP status of a status: by its code, but for the few reasons that HTTP has a better word for.
pub(crate) fn http_status(status: &Status) -> StatusCode {
    let info = status.get_details_error_info();
    let own = info.as_ref().is_some_and(|info| info.domain == DOMAIN);
    match info.as_ref().map_or("", |info| info.reason.as_str()) {
        METHOD_NOT_ALLOWED if own => StatusCode::METHOD_NOT_ALLOWED,
        UNKNOWN_METHOD if own => StatusCode::NOT_FOUND,
        BODY_TOO_LARGE if own => StatusCode::PAYLOAD_TOO_LARGE,
        BODY_TOO_SLOW if own => StatusCode::REQUEST_TIMEOUT,
        NOT_ACCEPTABLE if own => StatusCode::NOT_ACCEPTABLE,
        UNSUPPORTED_MEDIA_TYPE | UNSUPPORTED_ENCODING if own => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        HTTP2_REQUIRED if own => StatusCode::UPGRADE_REQUIRED,
        "IDEMPOTENCY_KEY_REUSED" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => http_status_of_code(status.code()),
    }
}

/// The HTTP status of a code alone.
pub(crate) fn http_status_of_code(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // 499 is what proxies say of a caller that went away; `http` has no name for it.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Model<'a>,
}

#[derive(Serialize)]
struct Model<'a> {
    code: u16,
    status: &'static str,
    message: &'a str,
    details: Vec<serde_json::Value>,
}

/// The JSON that says what went wrong, in Google's error model.
pub(crate) fn body(status: &Status) -> Bytes {
    let error = Model {
        code: http_status(status).as_u16(),
        status: mesh::metrics::status_name(status.code()),
        message: status.message(),
        details: details::json(status),
    };
    serde_json::to_vec(&Envelope { error }).unwrap_or_default().into()
}

/// The HTTP response that says what went wrong.
pub(crate) fn response(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body(status))));
    *response.status_mut() = http_status(status);
    let headers = response.headers_mut();
    explain(headers, status);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The same for callers who read HTTP's status and no JSON but that of their protocol: a line for people.
pub(crate) fn plain(status: &Status) -> Response<Body> {
    let id = request_id::in_metadata(status).unwrap_or_default();
    let text = format!("{} ({id})\n", status.message());
    let mut response = Response::new(Body::new(Full::from(text)));
    *response.status_mut() = http_status(status);
    let headers = response.headers_mut();
    explain(headers, status);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The headers that go with a failure: its metadata, how to sign in, when to try again.
pub(crate) fn explain(headers: &mut HeaderMap, status: &Status) {
    headers::from_metadata(headers, status.metadata().as_ref());
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if status.code() == Code::Unauthenticated {
        let reason = status.get_details_error_info().map(|info| info.reason);
        let challenge = match reason.as_deref() {
            Some("INVALID_TOKEN") => r#"Bearer realm="tradewind", error="invalid_token""#,
            _ => r#"Bearer realm="tradewind""#,
        };
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    if let Some(delay) = delay {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}
