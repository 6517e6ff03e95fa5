//! Percent-encoding, taken off strictly: what is not valid is refused, never guessed.

use std::borrow::Cow;

/// A text without its percent-encoding; `None` when an escape is broken or the bytes are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    unescape(text, |_| true)
}

/// The same for one segment of several: an encoded slash stays encoded, or it would become a separator.
pub(crate) fn decode_segment(text: &str) -> Option<Cow<'_, str>> {
    unescape(text, |byte| byte != b'/')
}

/// The same for a name or value of a query, where `+` is a space.
pub(crate) fn decode_query(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return decode(&spaced).map(|decoded| Cow::Owned(decoded.into_owned()));
    }
    decode(text)
}

fn unescape(text: &str, wanted: impl Fn(u8) -> bool) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            decoded.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let byte = hex(digits[0])? << 4 | hex(digits[1])?;
        if wanted(byte) {
            decoded.push(byte);
        } else {
            decoded.extend_from_slice(&rest[..3]);
        }
        rest = after;
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_encoded_slash_is_text_in_a_segment_and_stays_encoded_among_segments() {
        assert_eq!(decode("a%2Fb%20c").unwrap(), "a/b c");
        assert_eq!(decode_segment("a%2Fb%20c").unwrap(), "a%2Fb c");
    }

    #[test]
    fn a_broken_escape_is_refused() {
        for broken in ["%", "%2", "%zz", "a%", "%ff", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_plus_is_a_space_in_a_query_alone() {
        assert_eq!(decode_query("a+b%2Bc").unwrap(), "a b+c");
        assert_eq!(decode("a+b").unwrap(), "a+b");
    }

    proptest! {
        #[test]
        fn no_text_makes_decoding_panic(text in "\\PC*|[%0-9a-fA-F]{0,12}") {
            let _ = (decode(&text), decode_segment(&text), decode_query(&text));
        }

        #[test]
        fn what_is_encoded_comes_back(text in "\\PC*") {
            let escapes: Vec<_> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let encoded = escapes.concat();
            prop_assert_eq!(decode(&encoded).unwrap(), text);
        }
    }
}
