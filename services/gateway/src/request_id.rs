//! What a request is called, so that people and logs can speak of it.

use http::{HeaderMap, HeaderValue};
use mesh::{Ids, Status};

/// The header, and the metadata, that names the trace of a call.
const TRACE: &str = "trace-id";
/// The header, and the metadata, that names a request in no trace.
const REQUEST: &str = "request-id";

/// The id of a request: its trace's where there is one, else its own, which is made when it is needed.
#[derive(Debug, Clone)]
pub(crate) struct RequestId {
    trace: Option<HeaderValue>,
    ids: Ids,
}

impl RequestId {
    /// The id of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap, ids: &Ids) -> Self {
        let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
        let trace = parent.and_then(trace_id);
        Self { trace: trace.and_then(|id| HeaderValue::from_str(id).ok()), ids: ids.clone() }
    }

    /// The id of a call whose answer began with this metadata: the mesh says there which trace it is.
    pub(crate) fn answered(self, metadata: &HeaderMap) -> Self {
        Self { trace: metadata.get(TRACE).cloned().or(self.trace), ids: self.ids }
    }

    /// A failure that says which request it is of.
    pub(crate) fn on(&self, mut status: Status) -> Status {
        if in_metadata(&status).is_some() {
            return status;
        }
        let (name, value) = match &self.trace {
            Some(trace) => (TRACE, Some(trace.clone())),
            None => (REQUEST, HeaderValue::try_from(self.ids.next("req")).ok()),
        };
        tracing::debug!(id = ?value, code = ?status.code(), reason = status.message(), "refused");
        if let Some(value) = value {
            status.metadata_mut().as_mut().insert(name, value);
        }
        status
    }
}

/// The trace that a `traceparent` is of, when it is one by W3C Trace Context.
fn trace_id(parent: &str) -> Option<&str> {
    let mut parts = parent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        let digits = text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        text.len() == length && digits && text.bytes().any(|it| it != b'0')
    };
    (version.len() == 2 && version != "ff" && hex(trace, 32) && hex(span, 16)).then_some(trace)
}

/// The id that the metadata of a failure names.
pub(crate) fn in_metadata(status: &Status) -> Option<&str> {
    let metadata = status.metadata();
    metadata.get(TRACE).or_else(|| metadata.get(REQUEST))?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use mesh::Clock;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

    fn of(parent: Option<&'static str>) -> RequestId {
        let mut headers = HeaderMap::new();
        if let Some(parent) = parent {
            headers.insert("traceparent", HeaderValue::from_static(parent));
        }
        RequestId::of(&headers, &Ids::seeded(Clock::system(), 1))
    }

    #[test]
    fn a_failure_names_the_trace_or_else_the_request() {
        let traced = of(Some(PARENT)).on(Status::aborted(""));
        let alone = of(None).on(Status::aborted(""));
        let wrong = of(Some("00-0-0-0")).on(Status::aborted(""));

        assert_eq!(in_metadata(&traced), Some(TRACE_ID));
        assert!(in_metadata(&alone).unwrap().starts_with("req_"));
        assert!(in_metadata(&wrong).unwrap().starts_with("req_"));
    }

    #[test]
    fn what_the_service_said_stands() {
        let mut status = Status::aborted("");
        status.metadata_mut().insert(TRACE, TRACE_ID.parse().unwrap());

        let told = of(None).on(status);

        assert_eq!(in_metadata(&told), Some(TRACE_ID));
    }
}
