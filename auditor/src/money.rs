//! Amounts as reports say them.

use tradewind::money::v1::Money;

/// `12.50 EUR`.
pub(crate) fn amount(minor: i64, currency: &str) -> String {
    Money::new(minor, currency).display()
}
