//! Mails as they are written: templates, filled with what an order says.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior, Value};
use serde::Serialize;
use tradewind::money::v1::Money;
use tradewind::orders::v1::{Address, OrderLine};

use crate::news::{Kind, News};

/// What templates include: the lines and the sums.
const ORDER: (&str, &str) = ("order.txt", include_str!("../templates/order.txt"));

/// A mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) body: String,
}

/// What a template may say, in words.
#[derive(Debug, Serialize)]
struct Facts {
    id: String,
    lines: Vec<Line>,
    goods: String,
    shipping: String,
    tax: String,
    tax_inclusive: bool,
    total: String,
    address: Vec<String>,
    carrier: String,
    tracking_number: String,
    hold_until: String,
    cancel_reason: String,
    amount: String,
    refunded: String,
}

#[derive(Debug, Serialize)]
struct Line {
    quantity: i64,
    title: String,
    options: String,
    total: String,
}

/// Writes the mail that tells the news.
pub(crate) fn write(news: &News) -> Result<Letter, Error> {
    let (subject, body) = template(news.kind).split_once('\n').unwrap_or_default();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A tag alone on its line leaves no line.
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.add_template(ORDER.0, ORDER.1)?;
    let facts = Value::from(Serde(Facts::of(news)));
    let subject = environment.render_str(subject, facts.clone())?;
    let body = environment.render_str(body, facts)?;
    Ok(Letter { subject: one_line(&subject), body })
}

/// The subject on the first line, the body from the second on.
fn template(kind: Kind) -> &'static str {
    match kind {
        Kind::Confirmed => include_str!("../templates/order_confirmed.txt"),
        Kind::PaymentFailed => include_str!("../templates/order_payment_failed.txt"),
        Kind::Shipped => include_str!("../templates/order_shipped.txt"),
        Kind::Delivered => include_str!("../templates/order_delivered.txt"),
        Kind::Cancelled => include_str!("../templates/order_cancelled.txt"),
        Kind::Refunded => include_str!("../templates/order_refunded.txt"),
    }
}

impl Facts {
    fn of(News { order, amount, .. }: &News) -> Self {
        let shipment = order.shipment.clone().unwrap_or_default();
        let hold = order.hold_expire_time.map(|time| minute(&time.to_string()));
        Self {
            id: order.id.clone(),
            lines: order.lines.iter().map(Line::of).collect(),
            goods: money(order.goods.as_ref()),
            shipping: money(order.shipping.as_ref()),
            tax: money(order.tax.as_ref()),
            tax_inclusive: order.tax_inclusive,
            total: money(order.total.as_ref()),
            address: order.shipping_address.as_ref().map(address).unwrap_or_default(),
            carrier: one_line(&shipment.carrier),
            tracking_number: one_line(&shipment.tracking_number),
            hold_until: hold.unwrap_or_default(),
            cancel_reason: one_line(&order.cancel_reason),
            amount: money(amount.as_ref()),
            refunded: money(order.refunded.as_ref()),
        }
    }
}

impl Line {
    fn of(line: &OrderLine) -> Self {
        Self {
            quantity: line.quantity,
            title: one_line(&line.title),
            options: one_line(&line.option_values.join(", ")),
            total: money(line.total.as_ref()),
        }
    }
}

fn money(money: Option<&Money>) -> String {
    money.map(Money::display).unwrap_or_default()
}

/// An address as it is written on a parcel, a line each.
fn address(address: &Address) -> Vec<String> {
    let city = [&address.postal_code, &address.city, &address.region].map(String::as_str);
    let city = one_line(&city.join(" "));
    let street = address.lines.iter().map(String::as_str);
    let lines = [address.recipient.as_str()].into_iter().chain(street);
    let lines = lines.chain([city.as_str(), address.country_code.as_str()]);
    lines.map(one_line).filter(|line| !line.is_empty()).collect()
}

/// `2026-01-31 12:00 UTC`, from `2026-01-31T12:00:00Z`.
fn minute(time: &str) -> String {
    match (time.get(..10), time.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => time.to_owned(),
    }
}

/// A text without line breaks and other controls: what customers and merchants write stays on its line.
fn one_line(text: &str) -> String {
    let blank = text.replace(|letter: char| letter.is_control(), " ");
    blank.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use tradewind::orders::v1::Order;

    use super::*;

    #[test]
    fn a_time_is_told_to_the_minute() {
        assert_eq!(minute("2026-01-31T12:00:59.5Z"), "2026-01-31 12:00 UTC");
    }

    #[test]
    fn what_is_written_on_one_line_stays_there() {
        assert_eq!(one_line(" a\r\nBcc: b\u{85}c\t"), "a Bcc: b c");
    }

    #[test]
    fn what_looks_like_a_template_is_only_text() {
        let line =
            OrderLine { title: "{{ 7 * 7 }} {% include 'x' %}".into(), ..OrderLine::default() };
        let order = Order { id: "ord_1".into(), lines: vec![line], ..Order::default() };

        let letter = write(&News { kind: Kind::Confirmed, order, amount: None }).unwrap();

        assert!(letter.body.contains("{{ 7 * 7 }} {% include 'x' %}"), "{}", letter.body);
    }

    #[test]
    fn tax_that_comes_on_top_has_a_line_of_its_own() {
        let tax = Some(Money::new(19, "EUR"));
        let total = Some(Money::new(119, "EUR"));
        let order = Order { tax, total, tax_inclusive: false, ..Order::default() };

        let letter = write(&News { kind: Kind::Confirmed, order, amount: None }).unwrap();

        assert!(letter.body.contains("\nTax: 0.19 EUR\nTotal: 1.19 EUR\n"), "{}", letter.body);
    }
}
