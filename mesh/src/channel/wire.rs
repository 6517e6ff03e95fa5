//! What failures look like on the wire: gRPC over HTTP/2's mapping of resets, and its headers of retries.

use std::sync::Arc;
use std::time::Duration;

use h2::Reason;
use http::{HeaderMap, HeaderName};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::deadline;
use crate::failure::{PUSHBACK, Refusal};
use crate::server::code_of;

/// How often a call was tried before; absent the first time.
pub(super) const PREVIOUS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// What servers say of trying again in.
const ASKED: HeaderName = HeaderName::from_static(PUSHBACK);

/// What a server says of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushback {
    /// After exactly this time.
    After(Duration),
    /// Not at all.
    Never,
}

impl Pushback {
    /// The time, where there is one.
    pub(super) fn wait(self) -> Option<Duration> {
        match self {
            Self::After(wait) => Some(wait),
            Self::Never => None,
        }
    }
}

/// The code in headers or trailers, with what is said of trying again.
pub(super) fn outcome(headers: &HeaderMap) -> Option<(Code, Option<Pushback>)> {
    let code = code_of(headers)?;
    let pushback = headers.get(ASKED).map(|value| {
        let text = value.to_str().unwrap_or_default();
        let ms = text.parse::<u32>().ok().map(u64::from);
        ms.map_or(Pushback::Never, |ms| Pushback::After(Duration::from_millis(ms)))
    });
    Some((code, pushback))
}

/// A broken connection or a reset stream, as a status.
pub(super) fn status(
    error: hyper::Error,
    service: &'static str,
    deadline: Option<Instant>,
) -> Status {
    let reset = h2_error(&error).filter(|error| error.is_reset());
    let refusal = match reset.and_then(h2::Error::reason) {
        // A server gives up at the deadline too, and its reset may be here before ours.
        Some(Reason::CANCEL) if deadline::is_over(deadline) => Refusal::DeadlineExceeded,
        Some(Reason::CANCEL) => Refusal::PeerCancelled(service),
        Some(Reason::ENHANCE_YOUR_CALM) => Refusal::PeerOverrun(service),
        Some(Reason::INADEQUATE_SECURITY) => Refusal::PeerInsecure(service),
        // Whoever refuses a stream has not begun it; a closed connection says nothing of the call.
        Some(Reason::REFUSED_STREAM) | None => Refusal::Unavailable(service),
        Some(_) => Refusal::PeerBroken(service),
    };
    let mut status = Status::from(refusal);
    status.set_source(Arc::new(error));
    status
}

/// Whether the other side says that it has not begun the call: a refused stream, or one beyond the last that
/// a closing connection answers.
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    h2_error(error).is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
    })
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pushback_is_a_time_or_never() {
        let said = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(Status::GRPC_STATUS, "14".parse().unwrap());
            headers.insert(PUSHBACK, value.parse().unwrap());
            outcome(&headers)
        };

        let after = Pushback::After(Duration::from_millis(250));
        assert_eq!(said("250"), Some((Code::Unavailable, Some(after))));
        for never in ["-1", "", "soon", "99999999999"] {
            assert_eq!(said(never), Some((Code::Unavailable, Some(Pushback::Never))), "{never}");
        }
        assert_eq!(outcome(&HeaderMap::new()), None);
    }
}
