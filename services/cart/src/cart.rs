//! What a cart is: how many of a variant it may hold, and what it costs now.

use std::collections::HashMap;

use contract::MoneyError;
use mesh::clock::micros;
use tradewind::cart::v1::priced_line::Problem;
use tradewind::cart::v1::{Cart, CartLine, PricedLine};
use tradewind::catalog::v1::VariantOffer;
use tradewind::money::v1::Money;
use tradewind::orders::v1::Order;

use crate::error::Error;

/// The most of one variant.
pub(crate) const MOST_OF_ONE: i64 = 999;
/// The most different variants; the catalog prices as many in one call.
pub(crate) const MOST_LINES: i64 = 500;

/// How many of a variant there shall be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// So many more than there are.
    More(i64),
    /// So many.
    Exactly(i64),
}

impl Wanted {
    fn of(self, had: i64) -> i64 {
        match self {
            Self::More(more) => had.saturating_add(more),
            Self::Exactly(quantity) => quantity,
        }
    }
}

/// A variant that can be bought, as the catalog offers it.
pub(crate) fn sold(variant_id: &str, offers: Vec<VariantOffer>) -> Result<VariantOffer, Error> {
    let offer = offers.into_iter().find(|offer| offer.sold && id_of(offer) == variant_id);
    offer.ok_or_else(|| Error::VariantNotSold(variant_id.to_owned()))
}

/// A line as it shall be; it remembers what one costs when it is put in.
pub(crate) fn put(line: CartLine, wanted: Wanted, offer: &VariantOffer) -> Result<CartLine, Error> {
    let requested = wanted.of(line.quantity);
    let variant_id = || line.variant_id.clone();
    if requested > MOST_OF_ONE {
        let limit = MOST_OF_ONE;
        return Err(Error::QuantityLimit { variant_id: variant_id(), requested, limit });
    }
    if let Some(available) = offer.available.filter(|available| requested > *available) {
        return Err(Error::OutOfStock { variant_id: variant_id(), requested, available });
    }
    let price_then = offer.variant.as_ref().and_then(|variant| variant.price.clone());
    Ok(CartLine { quantity: requested, price_then, ..line })
}

/// A cart with what its lines cost now, and what stands against buying each.
pub(crate) fn priced(lines: Vec<CartLine>, offers: &[VariantOffer]) -> Result<Cart, MoneyError> {
    let offers: HashMap<&str, &VariantOffer> =
        offers.iter().map(|offer| (id_of(offer), offer)).collect();
    let lines = lines
        .into_iter()
        .map(|line| {
            let offer = offers.get(line.variant_id.as_str()).copied();
            priced_line(line, offer)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let subtotal = subtotal(&lines)?;
    Ok(Cart { lines, subtotal })
}

/// What is left of a cart after an order: the lines that are gone, and those with fewer. The cart hears of an order
/// some time after it: a line that was put in meanwhile is meant for the next one.
pub(crate) fn after_order(lines: Vec<CartLine>, order: &Order) -> (Vec<CartLine>, Vec<CartLine>) {
    let placed = order.create_time.as_ref().map_or(i64::MAX, micros);
    let mut bought: HashMap<&str, i64> = HashMap::new();
    for line in &order.lines {
        let quantity = bought.entry(line.variant_id.as_str()).or_default();
        *quantity = quantity.saturating_add(line.quantity);
    }
    lines
        .into_iter()
        .filter(|line| line.create_time.as_ref().is_none_or(|time| micros(time) <= placed))
        .filter_map(|line| {
            let bought = *bought.get(line.variant_id.as_str())?;
            Some(CartLine { quantity: line.quantity.saturating_sub(bought), ..line })
        })
        .partition(|line| line.quantity <= 0)
}

fn priced_line(line: CartLine, offer: Option<&VariantOffer>) -> Result<PricedLine, MoneyError> {
    let offer = offer.cloned().unwrap_or_default();
    let available = offer.available.filter(|_| offer.sold);
    let variant = offer.variant.unwrap_or_default();
    let price = variant.price.filter(|_| offer.sold);
    let total = price.as_ref().map(|price| price.checked_mul(line.quantity)).transpose()?;
    let problem = if price.is_none() {
        Problem::NotSold
    } else if available.is_some_and(|available| available < line.quantity) {
        Problem::OutOfStock
    } else if price != line.price_then {
        Problem::PriceChanged
    } else {
        Problem::Unspecified
    };
    Ok(PricedLine {
        variant_id: line.variant_id,
        product_id: offer.product_id,
        title: offer.product_title,
        option_values: variant.option_values,
        quantity: line.quantity,
        price,
        total,
        problem: problem.into(),
        available,
    })
}

/// The sum of what can be bought; absent where nothing has a price.
fn subtotal(lines: &[PricedLine]) -> Result<Option<Money>, MoneyError> {
    let Some(some) = lines.iter().find_map(|line| line.total.as_ref()) else { return Ok(None) };
    let buyable = lines.iter().filter(|line| can_be_bought(line.problem()));
    let totals = buyable.filter_map(|line| line.total.as_ref());
    Money::sum(&some.currency_code, totals).map(Some)
}

fn can_be_bought(problem: Problem) -> bool {
    match problem {
        Problem::Unspecified | Problem::PriceChanged => true,
        Problem::NotSold | Problem::OutOfStock => false,
    }
}

fn id_of(offer: &VariantOffer) -> &str {
    offer.variant.as_ref().map_or("", |variant| variant.id.as_str())
}

#[cfg(test)]
mod tests {
    use mesh::clock::timestamp;
    use tradewind::catalog::v1::Variant;
    use tradewind::orders::v1::OrderLine;

    use super::*;

    fn offer(id: &str, minor: i64, available: Option<i64>) -> VariantOffer {
        let price = Some(Money::new(minor, "EUR"));
        let variant = Some(Variant { id: id.into(), price, ..Variant::default() });
        VariantOffer { variant, sold: true, available, ..VariantOffer::default() }
    }

    fn line(id: &str, quantity: i64, minor: i64) -> CartLine {
        CartLine {
            variant_id: id.into(),
            quantity,
            price_then: Some(Money::new(minor, "EUR")),
            ..CartLine::default()
        }
    }

    #[test]
    fn more_than_there_is_is_refused_with_what_there_is() {
        let error = put(line("a", 2, 100), Wanted::More(2), &offer("a", 100, Some(3))).unwrap_err();

        assert!(matches!(error, Error::OutOfStock { requested: 4, available: 3, .. }));
        let fits = put(line("a", 2, 90), Wanted::Exactly(3), &offer("a", 100, Some(3))).unwrap();
        assert_eq!(fits.quantity, 3);
        assert_eq!(fits.price_then, Some(Money::new(100, "EUR")));
    }

    #[test]
    fn a_line_holds_999_and_no_more() {
        let endless = offer("a", 100, None);

        assert_eq!(put(line("a", 998, 100), Wanted::More(1), &endless).unwrap().quantity, 999);
        let error = put(line("a", 999, 100), Wanted::More(i64::MAX), &endless).unwrap_err();
        assert!(matches!(error, Error::QuantityLimit { limit: 999, .. }));
    }

    #[test]
    fn only_what_can_be_bought_is_in_the_subtotal() {
        use Problem::{NotSold, OutOfStock, PriceChanged, Unspecified};

        let lines = vec![line("a", 2, 100), line("b", 3, 100), line("c", 1, 100), line("d", 1, 70)];
        let offers = [offer("a", 100, None), offer("b", 100, Some(2)), offer("d", 80, Some(1))];

        let cart = priced(lines, &offers).unwrap();

        let problems: Vec<_> = cart.lines.iter().map(PricedLine::problem).collect();
        assert_eq!(problems, [Unspecified, OutOfStock, NotSold, PriceChanged]);
        assert_eq!(cart.subtotal, Some(Money::new(280, "EUR")));
        assert_eq!(cart.lines[1].available, Some(2));
        assert_eq!(cart.lines[2].total, None);
    }

    #[test]
    fn what_does_not_fit_an_amount_is_an_error_and_not_a_number() {
        let dear = offer("a", 1_000_000_000_000_000, None);

        assert_eq!(priced(vec![line("a", 2, 1)], &[dear]), Err(MoneyError::OutOfRange));
    }

    fn order(lines: &[(&str, i64)], placed: i64) -> Order {
        let lines = lines.iter().map(|(id, quantity)| OrderLine {
            variant_id: (*id).into(),
            quantity: *quantity,
            ..OrderLine::default()
        });
        let create_time = Some(timestamp(placed));
        Order { lines: lines.collect(), create_time, ..Order::default() }
    }

    #[test]
    fn an_order_takes_what_was_ordered_and_leaves_the_rest() {
        let lines = vec![line("a", 2, 1), line("b", 5, 1), line("c", 1, 1)];

        let (gone, fewer) =
            after_order(lines, &order(&[("a", 3), ("b", 1), ("b", 1), ("x", 1)], 7));

        assert_eq!(gone.iter().map(|line| line.variant_id.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(fewer.len(), 1);
        assert_eq!((fewer[0].variant_id.as_str(), fewer[0].quantity), ("b", 3));
    }

    #[test]
    fn an_order_leaves_what_was_put_in_after_it_though_it_be_the_same() {
        let put_in = |time| CartLine { create_time: Some(timestamp(time)), ..line("a", 1, 1) };

        let (gone, fewer) = after_order(vec![put_in(8)], &order(&[("a", 1)], 7));
        assert!(gone.is_empty() && fewer.is_empty(), "{gone:?} {fewer:?}");
        let (gone, _) = after_order(vec![put_in(7)], &order(&[("a", 1)], 7));

        assert_eq!(gone.len(), 1);
    }
}
