//! What may be paid with.

/// The fewest digits of a card number (ISO/IEC 7812).
const FEWEST_DIGITS: usize = 12;

/// Whether a text looks like a card number, however it is written: nothing but digits and what
/// stands between them. Its check digit is not asked for; a mistyped number is nobody else's either.
pub(crate) fn is_card_number(text: &str) -> bool {
    let mut digits = 0;
    for letter in text.chars().filter(|letter| letter.is_alphanumeric()) {
        if !letter.is_numeric() {
            return false;
        }
        digits += 1;
    }
    digits >= FEWEST_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_known_however_it_is_written() {
        for number in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4241",
            "4242.4242.4242.4242",
            "378282246310005",
            "501800000009",
            "4242 4242 4242 4242 12/28 123",
            "\u{200b}4242\u{a0}424242424242",
            "４２４２４２４２４２４２４２４２",
        ] {
            assert!(is_card_number(number), "{number}");
        }
    }

    #[test]
    fn a_token_is_not_a_card_number() {
        for token in [
            "sim_ok",
            "pm_1234567890123456",
            "12345678901",
            "",
            "0190b6d0-1111-2222-3333-444455556666a",
        ] {
            assert!(!is_card_number(token), "{token}");
        }
    }
}
