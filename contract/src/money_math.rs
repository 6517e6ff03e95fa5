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

    proptest! {
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
