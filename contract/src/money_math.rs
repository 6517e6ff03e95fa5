//! The arithmetic of money: integers, checked, never between currencies.

use crate::money::v1::Money;

/// Why an amount could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Amounts of two currencies met.
    #[error("an amount in {0} meets one in {1}")]
    Currencies(String, String),
    /// The result does not fit.
    #[error("the amount is out of range")]
    OutOfRange,
    /// A text is not an amount of its currency.
    #[error("`{0}` is not an amount: digits, and at most {1} decimals after a point")]
    Malformed(String, usize),
}

/// Currencies without minor units (ISO 4217, 2026).
const NO_DECIMALS: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];
/// Currencies of a thousand minor units (ISO 4217, 2026).
const THREE_DECIMALS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
/// Units of account of ten thousand minor units (ISO 4217, 2026).
const FOUR_DECIMALS: [&str; 2] = ["CLF", "UYW"];

/// How many decimals an ISO 4217 currency is written with.
#[must_use]
pub fn decimals(currency_code: &str) -> usize {
    match currency_code {
        code if NO_DECIMALS.contains(&code) => 0,
        code if THREE_DECIMALS.contains(&code) => 3,
        code if FOUR_DECIMALS.contains(&code) => 4,
        _ => 2,
    }
}

/// The largest amount, in minor units; also the range in the contract and in every table's CHECK.
const LIMIT: i64 = 1_000_000_000_000_000;

impl Money {
    /// An amount of minor units in an ISO 4217 currency.
    #[must_use]
    pub fn new(minor: i64, currency_code: impl Into<String>) -> Self {
        Self { currency_code: currency_code.into(), minor }
    }

    /// Nothing, in an ISO 4217 currency.
    #[must_use]
    pub fn zero(currency_code: impl Into<String>) -> Self {
        Self::new(0, currency_code)
    }

    /// An amount from its decimal form: `12.5` EUR is 1250 cents. More decimals than the currency has must be zeros.
    pub fn from_decimal(text: &str, currency_code: &str) -> Result<Self, MoneyError> {
        let decimals = decimals(currency_code);
        let malformed = || MoneyError::Malformed(text.chars().take(40).collect(), decimals);
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (kept, rest) = fraction.split_at_checked(decimals).unwrap_or((fraction, ""));
        let plain = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty()
            || !plain(whole)
            || !plain(kept)
            || rest.bytes().any(|digit| digit != b'0')
        {
            return Err(malformed());
        }
        let minor = format!("{whole}{kept:0<decimals$}")
            .parse::<i64>()
            .map_err(|_| MoneyError::OutOfRange)?;
        Self::zero(currency_code).with(minor.checked_mul(sign))
    }

    /// The amount as people write it: `12.50 EUR`.
    #[must_use]
    pub fn display(&self) -> String {
        let decimals = decimals(&self.currency_code);
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let point = if decimals == 0 { "" } else { "." };
        format!("{sign}{whole}{point}{fraction} {}", self.currency_code)
    }

    /// Both amounts together.
    pub fn checked_add(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.minor.checked_add(other.minor))
    }

    /// This amount less another.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.minor.checked_sub(other.minor))
    }

    /// This amount so many times.
    pub fn checked_mul(&self, times: i64) -> Result<Self, MoneyError> {
        self.with(self.minor.checked_mul(times))
    }

    /// A part in ten thousand of this amount, rounded half away from zero.
    pub fn basis_points(&self, points: i64) -> Result<Self, MoneyError> {
        self.part(points, 10_000)
    }

    /// `numerator / denominator` of this amount, rounded half away from zero; the denominator is positive.
    pub fn part(&self, numerator: i64, denominator: i64) -> Result<Self, MoneyError> {
        let product = i128::from(self.minor) * i128::from(numerator);
        let denominator = i128::from(denominator);
        if denominator <= 0 {
            return Err(MoneyError::OutOfRange);
        }
        let half = if product < 0 { -denominator } else { denominator };
        let rounded = (2 * product + half) / (2 * denominator);
        self.with(i64::try_from(rounded).ok())
    }

    /// The sum of amounts, all in one currency.
    pub fn sum<'a>(
        currency_code: &str,
        amounts: impl IntoIterator<Item = &'a Self>,
    ) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency_code), |sum, next| sum.checked_add(next))
    }

    fn same_currency(&self, other: &Self) -> Result<(), MoneyError> {
        if self.currency_code == other.currency_code {
            return Ok(());
        }
        Err(MoneyError::Currencies(self.currency_code.clone(), other.currency_code.clone()))
    }

    fn with(&self, minor: Option<i64>) -> Result<Self, MoneyError> {
        minor
            .filter(|minor| (-LIMIT..=LIMIT).contains(minor))
            .map(|minor| Self::new(minor, self.currency_code.clone()))
            .ok_or(MoneyError::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_half_rounds_away_from_zero() {
        assert_eq!(Money::new(250, "EUR").part(1, 100).unwrap().minor, 3);
        assert_eq!(Money::new(-250, "EUR").part(1, 100).unwrap().minor, -3);
        assert_eq!(Money::new(249, "EUR").part(1, 100).unwrap().minor, 2);
    }

    #[test]
    fn currencies_do_not_mix() {
        let error = Money::new(1, "EUR").checked_add(&Money::new(1, "USD")).unwrap_err();

        assert_eq!(error, MoneyError::Currencies("EUR".into(), "USD".into()));
    }

    #[test]
    fn decimals_follow_the_currency() {
        for (text, currency, minor) in [
            ("12.5", "EUR", 1250),
            ("12.500", "EUR", 1250),
            ("50", "JPY", 50),
            ("0.005", "KWD", 5),
            ("-3.10", "USD", -310),
        ] {
            assert_eq!(
                Money::from_decimal(text, currency).unwrap().minor,
                minor,
                "{text} {currency}"
            );
        }
        for wrong in ["", ".5", "1,5", "1.001", "1e3", "--1", "NaN", "99999999999999999999"] {
            assert!(Money::from_decimal(wrong, "EUR").is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_amount_is_displayed_with_the_decimals_of_its_currency() {
        for (minor, currency, text) in [
            (1250, "EUR", "12.50 EUR"),
            (5, "USD", "0.05 USD"),
            (-5, "USD", "-0.05 USD"),
            (0, "GBP", "0.00 GBP"),
            (1250, "JPY", "1250 JPY"),
            (1250, "KWD", "1.250 KWD"),
            (7, "CLF", "0.0007 CLF"),
            (i64::MIN, "ISK", "-9223372036854775808 ISK"),
        ] {
            assert_eq!(Money::new(minor, currency).display(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_again(minor in -LIMIT..=LIMIT, currency in "EUR|JPY|KWD") {
            let money = Money::new(minor, currency.clone());
            let shown = money.display();
            let number = shown.strip_suffix(&format!(" {currency}")).unwrap();
            prop_assert_eq!(Money::from_decimal(number, &currency).unwrap(), money);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,30}") {
            let _ = Money::from_decimal(&text, "EUR");
        }

        #[test]
        fn what_is_added_and_taken_away_again_leaves_the_amount(a in -LIMIT/2..LIMIT/2, b in -LIMIT/2..LIMIT/2) {
            let (a, b) = (Money::new(a, "EUR"), Money::new(b, "EUR"));
            prop_assert_eq!(a.checked_add(&b).unwrap().checked_sub(&b).unwrap(), a);
        }

        #[test]
        fn a_part_is_never_off_by_more_than_half_a_unit(amount in -LIMIT/100..LIMIT/100, numerator in 0i64..10_000) {
            let part = Money::new(amount, "EUR").basis_points(numerator).unwrap().minor;
            let exact = i128::from(amount) * i128::from(numerator);
            prop_assert!((i128::from(part) * 10_000 - exact).abs() * 2 <= 10_000);
        }
    }
}
