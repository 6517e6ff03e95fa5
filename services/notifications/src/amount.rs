//! Amounts as people read them.

use tradewind::money::v1::Money;

/// ISO 4217 currencies without minor units.
const WITHOUT_MINOR: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];
/// ISO 4217 currencies of which a thousand minor units make one.
const IN_THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
/// ISO 4217 units of account of which ten thousand minor units make one.
const IN_TEN_THOUSANDTHS: [&str; 2] = ["CLF", "UYW"];

/// An amount with its currency, such as `12.50 EUR`, `1250 JPY` or `1.250 KWD`.
pub(crate) fn format(money: &Money) -> String {
    let code = money.currency_code.as_str();
    let sign = if money.minor < 0 { "-" } else { "" };
    let minor = money.minor.unsigned_abs();
    let digits = exponent(code);
    if digits == 0 {
        return format!("{sign}{minor} {code}");
    }
    let unit = 10_u64.pow(digits);
    let width = digits as usize;
    format!("{sign}{}.{:0width$} {code}", minor / unit, minor % unit)
}

/// How many digits stand after the point.
fn exponent(code: &str) -> u32 {
    if WITHOUT_MINOR.contains(&code) {
        0
    } else if IN_THOUSANDTHS.contains(&code) {
        3
    } else if IN_TEN_THOUSANDTHS.contains(&code) {
        4
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_digits_of_its_currency() {
        for (minor, code, text) in [
            (1250, "EUR", "12.50 EUR"),
            (5, "USD", "0.05 USD"),
            (-5, "USD", "-0.05 USD"),
            (0, "GBP", "0.00 GBP"),
            (1250, "JPY", "1250 JPY"),
            (1250, "XPF", "1250 XPF"),
            (1250, "KWD", "1.250 KWD"),
            (7, "CLF", "0.0007 CLF"),
            (i64::MIN, "ISK", "-9223372036854775808 ISK"),
        ] {
            assert_eq!(format(&Money::new(minor, code)), text);
        }
    }
}
