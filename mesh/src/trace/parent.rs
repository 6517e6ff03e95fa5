//! `traceparent`, as W3C Trace Context has it.

use opentelemetry::{SpanId, TraceFlags, TraceId};

use super::Trace;

/// How many letters it has.
const LENGTH: usize = 55;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// `version-trace-parent-flags`, as W3C Trace Context has it.
pub(super) fn parse(text: &str) -> Option<Trace> {
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
    let read = Trace {
        id: TraceId::from_hex(trace).ok()?,
        span: SpanId::from_hex(span).ok()?,
        flags: TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
    };
    (read.id != TraceId::INVALID && read.span != SpanId::INVALID).then_some(read)
}

/// A hexadecimal digit as the specification has it: in lower case.
fn is_digit(letter: u8) -> bool {
    matches!(letter, b'0'..=b'9' | b'a'..=b'f')
}

/// What `parse` reads.
pub(super) fn write(at: &Trace) -> [u8; LENGTH] {
    let mut text = [b'-'; LENGTH];
    text[..2].copy_from_slice(b"00");
    hex(&at.id.to_bytes(), &mut text[3..35]);
    hex(&at.span.to_bytes(), &mut text[36..52]);
    hex(&[at.flags.to_u8()], &mut text[53..]);
    text
}

/// Writes two digits for each byte.
pub(super) fn hex(bytes: &[u8], text: &mut [u8]) {
    for (byte, two) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        two[0] = DIGITS[usize::from(byte >> 4)];
        two[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_traceparent_is_read_or_refused() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(parse(valid).unwrap().id.to_string(), "0af7651916cd43dd8448eb211c80319c");
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

            prop_assert_eq!(read.id, TraceId::from(trace));
            prop_assert_eq!(read.span, SpanId::from(span));
            prop_assert_eq!(read.flags, TraceFlags::new(flags));
            let written = read.traceparent().unwrap();
            prop_assert_eq!(written, format!("00-{trace:032x}-{span:016x}-{flags:02x}"));
        }

        #[test]
        fn one_wrong_letter_begins_a_new_trace(at in 0_usize..55, letter in "[^0-9a-f-]") {
            let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

            let wrong = format!("{}{letter}{}", &text[..at], &text[at + 1..]);

            prop_assert!(parse(&wrong).is_none(), "{}", wrong);
        }
    }
}
