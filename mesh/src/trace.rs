//! One trace from the click to the webhook: W3C context in and out, one span a call.

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::channel::Outbound;
use crate::policy::Method;

/// Tells a caller the trace of its call, in every answer.
pub(crate) const HEADER: &str = "trace-id";
const TRACEPARENT: &str = "traceparent";

/// The span of a call that arrives; its parent is the caller's.
pub(crate) fn server_span(
    method: &Method,
    outbound: Option<&Outbound>,
    headers: &HeaderMap,
) -> Span {
    let path = method.path.trim_start_matches('/');
    macro_rules! span {
        ($($parent:tt)*) => {
            tracing::info_span!(
                $($parent)*
                "call",
                otel.name = path,
                otel.kind = "server",
                rpc.system = "grpc",
                rpc.service = method.service.as_str(),
                grpc.status = tracing::field::Empty,
                caller = tracing::field::Empty,
            )
        };
    }
    if let Some(outbound) = outbound {
        return span!(parent: &outbound.context.span,);
    }
    let span = span!(parent: None,);
    if let Some(parent) = headers.get(TRACEPARENT).and_then(|value| parse(value.to_str().ok()?)) {
        adopt(&span, parent);
    }
    span
}

/// The span of work that a task or an event began, in the trace of what wrote it.
#[must_use]
pub fn continued(name: &'static str, kind: &str, traceparent: &str) -> Span {
    let span =
        tracing::info_span!(parent: None, "work", otel.name = name, otel.kind = "consumer", kind);
    if let Some(parent) = parse(traceparent) {
        adopt(&span, parent);
    }
    span
}

/// The trace id of a span, 32 hexadecimal digits, when traces are kept.
#[must_use]
pub fn id_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// The `traceparent` of a span, for what must carry it further: headers, tasks, events.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| {
        let flags = context.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
    })
}

pub(crate) fn inject(span: &Span, headers: &mut HeaderMap) {
    if let Some(value) = traceparent(span).and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(TRACEPARENT, value);
    }
}

fn adopt(span: &Span, parent: SpanContext) {
    // It fails only where no traces are kept, and then there is nothing to adopt.
    let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
}

/// `version-trace-parent-flags`, as W3C Trace Context has it.
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = [version.len(), trace.len(), span.len(), flags.len()];
    let later = version != "00" && version != "ff";
    if lengths != [2, 32, 16, 2] || !(version == "00" && parts.next().is_none() || later) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_or_refused() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(
            parse(valid).unwrap().trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        for wrong in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
