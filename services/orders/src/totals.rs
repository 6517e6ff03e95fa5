//! What an order costs.
//!
//! Tax is computed once an order, on the sum of what is taxable and of shipping, and rounded half away
//! from zero: the sum of rounded lines can differ from it by a unit a line, which no invoice may.

use tradewind::money::v1::Money;
use tradewind::orders::v1::{OrderLine, Quote};
use tradewind::users::v1::Project;

use crate::error::Error;

/// Prices lines by the settings of a project.
pub(crate) fn quote(lines: Vec<OrderLine>, project: &Project) -> Result<Quote, Error> {
    let currency = project.currency_code.as_str();
    let sum = |taxable: bool| {
        let lines = lines.iter().filter(|line| !taxable || line.taxable);
        Money::sum(currency, lines.filter_map(|line| line.total.as_ref()))
    };
    let goods = sum(false)?;
    let shipping = project.shipping_rate.clone().unwrap_or_else(|| Money::zero(currency));
    let taxable = sum(true)?.checked_add(&shipping)?;
    let rate = i64::from(project.tax_basis_points);
    let net = goods.checked_add(&shipping)?;
    let (tax, total) = if project.tax_inclusive {
        (taxable.part(rate, 10_000 + rate)?, net)
    } else {
        let tax = taxable.basis_points(rate)?;
        let total = net.checked_add(&tax)?;
        (tax, total)
    };
    Ok(Quote {
        lines,
        goods: Some(goods),
        shipping: Some(shipping),
        tax: Some(tax),
        total: Some(total),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn project(rate: i32, inclusive: bool) -> Project {
        Project {
            currency_code: "EUR".into(),
            shipping_rate: Some(Money::new(490, "EUR")),
            tax_basis_points: rate,
            tax_inclusive: inclusive,
            ..Project::default()
        }
    }

    fn line(total: i64, taxable: bool) -> OrderLine {
        OrderLine { total: Some(Money::new(total, "EUR")), taxable, ..OrderLine::default() }
    }

    fn minor(money: Option<&Money>) -> i64 {
        money.unwrap().minor
    }

    #[test]
    fn inclusive_tax_is_part_of_the_total() {
        let quote = quote(vec![line(10_000, true)], &project(1900, true)).unwrap();

        assert_eq!(minor(quote.total.as_ref()), 10_490);
        // That is 10490 * 19 / 119, which is 1674.87.
        assert_eq!(minor(quote.tax.as_ref()), 1675);
    }

    #[test]
    fn exclusive_tax_is_added_to_the_total() {
        let quote = quote(vec![line(10_000, true)], &project(1900, false)).unwrap();

        // That is 10490 * 0.19, which is 1993.1.
        assert_eq!(minor(quote.tax.as_ref()), 1993);
        assert_eq!(minor(quote.total.as_ref()), 12_483);
    }

    #[test]
    fn what_is_not_taxable_bears_no_tax() {
        let quote = quote(vec![line(10_000, false)], &project(1900, false)).unwrap();

        assert_eq!(minor(quote.tax.as_ref()), 93);
    }

    #[test]
    fn another_currency_is_refused() {
        let mut foreign = line(10_000, true);
        foreign.total = Some(Money::new(10_000, "USD"));

        assert!(quote(vec![foreign], &project(1900, true)).is_err());
    }

    proptest! {
        #[test]
        fn the_parts_are_the_total(totals in prop::collection::vec(0i64..1_000_000_000, 0..20), rate in 0i32..=10_000, inclusive: bool) {
            let lines = totals.iter().map(|total| line(*total, total % 3 != 0)).collect();
            let quote = quote(lines, &project(rate, inclusive)).unwrap();
            let parts = minor(quote.goods.as_ref()) + minor(quote.shipping.as_ref());
            let tax = if inclusive { 0 } else { minor(quote.tax.as_ref()) };
            prop_assert_eq!(parts + tax, minor(quote.total.as_ref()));
            prop_assert!(minor(quote.tax.as_ref()) >= 0 && minor(quote.tax.as_ref()) <= minor(quote.total.as_ref()));
        }
    }
}
