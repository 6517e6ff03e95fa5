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
                otel.status_code = tracing::field::Empty,
                caller = tracing::field::Empty,
            )
        };
    }
    if let Some(outbound) = outbound {
        return span!(parent: &outbound.context.span,);
    }
    let span = span!(parent: None,);
    let mut told = headers.get_all(TRACEPARENT).iter();
    // Several parents are none.
    if let (Some(parent), None) = (told.next(), told.next())
        && let Some(parent) = parent.to_str().ok().and_then(parse)
    {
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
    let wrong = [(version, 2), (trace, 32), (span, 16), (flags, 2)]
        .iter()
        .any(|(part, length)| part.len() != *length || !part.bytes().all(is_digit));
    // Later versions may say more; this one may not, and the last is no version.
    if wrong || version == "ff" || (version == "00" && parts.next().is_some()) {
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

/// A hexadecimal digit as the specification has it: in lower case.
fn is_digit(letter: u8) -> bool {
    matches!(letter, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-+7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-+1",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        assert!(parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_read_is_what_was_written(
            trace in 1_u128..,
            span in 1_u64..,
            flags in any::<u8>(),
        ) {
            let read = parse(&format!("00-{trace:032x}-{span:016x}-{flags:02x}")).unwrap();

            prop_assert_eq!(read.trace_id(), TraceId::from(trace));
            prop_assert_eq!(read.span_id(), SpanId::from(span));
            prop_assert_eq!(read.trace_flags(), TraceFlags::new(flags));
            prop_assert!(read.is_remote());
        }

        #[test]
        fn one_wrong_letter_begins_a_new_trace(at in 0_usize..55, letter in "[^0-9a-f-]") {
            let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

            let wrong = format!("{}{letter}{}", &text[..at], &text[at + 1..]);

            prop_assert!(parse(&wrong).is_none(), "{}", wrong);
        }
    }
}
