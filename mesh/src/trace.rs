//! One trace from the click to the webhook: where in which trace something is, and the spans that are kept.
//!
//! Whether a trace is kept is decided where it begins, before there is any span. Where it is not, a call has
//! ids for its answer, its log lines and whom it calls, and nothing else.

mod follow;
mod head;
mod parent;
mod recording;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};
use opentelemetry::{SpanId, TraceFlags, TraceId};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

pub use self::follow::Followed;
pub(crate) use self::head::Head;
pub use self::recording::Recording;

/// Tells a caller the trace of its call, in every answer.
pub const HEADER: HeaderName = HeaderName::from_static("trace-id");
/// Carries a trace from one process to the next.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Where in which trace something is: the span that what follows is a child of. It may be nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

impl Trace {
    /// In no trace; what follows begins one.
    pub const NONE: Self =
        Self { id: TraceId::INVALID, span: SpanId::INVALID, flags: TraceFlags::NOT_SAMPLED };

    /// That of the work that this thread is at.
    #[must_use]
    pub fn current() -> Self {
        let at = follow::current();
        // Programs of others may have spans of their own.
        if at.is_none() { Self::from(&Span::current()) } else { at }
    }

    /// The same, for log lines.
    pub(crate) fn here() -> Self {
        follow::current()
    }

    /// A new one.
    fn begin(is_kept: bool) -> Self {
        let flags = if is_kept { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        // A number from one on is a valid id.
        let id = TraceId::from(rand::random_range(1..=u128::MAX));
        Self { id, ..Self::NONE }.child(flags)
    }

    /// The same trace, as a span that is not kept.
    fn child(self, flags: TraceFlags) -> Self {
        Self { span: SpanId::from(rand::random_range(1..=u64::MAX)), flags, ..self }
    }

    /// Reads a `traceparent`.
    #[must_use]
    pub fn read(traceparent: &str) -> Option<Self> {
        parent::parse(traceparent)
    }

    /// What the headers of a request say.
    fn told(headers: &HeaderMap) -> Self {
        let mut told = headers.get_all(TRACEPARENT).iter();
        // Several parents are none.
        let told = match (told.next(), told.next()) {
            (Some(parent), None) => parent.to_str().ok().and_then(Self::read),
            (Some(_) | None, _) => None,
        };
        told.unwrap_or(Self::NONE)
    }

    /// Whether it is in no trace.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.id == TraceId::INVALID
    }

    /// Whether somebody keeps the spans of this trace.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.flags.is_sampled()
    }

    /// Whether another is in the same trace.
    #[must_use]
    pub fn is_with(&self, other: &Self) -> bool {
        !self.is_none() && self.id == other.id
    }

    /// The id of the trace, 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        (!self.is_none()).then(|| self.id.to_string())
    }

    /// The `traceparent` for whatever must carry it further: headers, tasks, events.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        (!self.is_none()).then(|| String::from_utf8_lossy(&parent::write(self)).into_owned())
    }

    /// The id as a header.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut text = [0; 32];
        parent::hex(&self.id.to_bytes(), &mut text);
        HeaderValue::from_bytes(&text).ok().filter(|_| !self.is_none()).map(unlike_others)
    }

    /// Writes it into the headers of a request; in no trace, whatever stands there stays.
    pub(crate) fn inject(&self, headers: &mut HeaderMap) {
        if !self.is_none()
            && let Ok(value) = HeaderValue::from_bytes(&parent::write(self))
        {
            headers.insert(TRACEPARENT, unlike_others(value));
        }
    }

    pub(crate) fn ids(&self) -> (TraceId, SpanId, TraceFlags) {
        (self.id, self.span, self.flags)
    }

    fn context(&self) -> SpanContext {
        SpanContext::new(self.id, self.span, self.flags, true, TraceState::NONE)
    }
}

impl From<&Span> for Trace {
    /// Where a span of `tracing` is, when such spans are kept.
    fn from(span: &Span) -> Self {
        if span.is_none() {
            return Self::NONE;
        }
        let context = span.context();
        let span = context.span();
        let context = span.span_context();
        if !context.is_valid() {
            return Self::NONE;
        }
        Self { id: context.trace_id(), span: context.span_id(), flags: context.trace_flags() }
    }
}

impl From<Span> for Trace {
    fn from(span: Span) -> Self {
        Self::from(&span)
    }
}

impl From<&Recording> for Trace {
    fn from(recording: &Recording) -> Self {
        recording.at()
    }
}

/// A value that no other call has. HTTP/2 keeps what headers say, for when it is said again; what never is would
/// only push the rest out, at both ends, and `sensitive` is its name for what is not to be kept.
pub(crate) fn unlike_others(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}
