//! Some products of the shop, asked of the catalog as any caller would.

use std::fmt::Write;

use contract::money::v1::Money;
use http::HeaderMap;
use http::header::HeaderValue;
use http::request::Parts;
use serde_json::Value;

use super::html::escape;
use crate::edge::Edge;
use crate::{headers, json};

const LIST: &str = "/tradewind.catalog.v1.CatalogService/ListProducts";
/// How many products are shown.
const SHOWN: usize = 8;
/// How long the page waits for the catalog.
const PATIENCE: &str = "1500m";

/// What the catalog had to show.
#[derive(Debug)]
pub(super) enum Shelf {
    /// Products, of which there may be none.
    Stocked(Vec<Product>),
    /// The catalog did not answer; why not is said with it.
    Closed(String),
    /// These contracts have no catalog.
    None,
}

/// A product as it is shown.
#[derive(Debug)]
pub(super) struct Product {
    id: String,
    title: String,
    vendor: String,
    price: String,
    choices: usize,
    /// The first variant, for the example of a purchase.
    pub(super) variant: String,
}

impl Shelf {
    /// Asks the catalog, for the caller of a request.
    pub(super) async fn ask(edge: &Edge, asked: &Parts) -> Self {
        let Some(rpc) = edge.rpc(LIST) else { return Self::None };
        let answer = async {
            let page = format!(r#"{{"pageSize":{SHOWN}}}"#);
            let page = json::parse(&rpc.input, page.as_bytes())?;
            let call = edge.call(rpc, metadata(&asked.headers), &asked.extensions)?;
            let answer = call.unary(&prost::Message::encode_to_vec(&page)).await?;
            json::write(&json::decode(&rpc.output, answer.message)?)
        };
        match answer.await {
            Ok(answer) => Self::Stocked(products(&answer)),
            Err(status) => Self::Closed(status.message().to_owned()),
        }
    }

    /// A variant that can be bought.
    pub(super) fn variant(&self) -> Option<&str> {
        match self {
            Self::Stocked(products) => products.first().map(|product| product.variant.as_str()),
            Self::Closed(_) | Self::None => None,
        }
    }

    /// The products as a list.
    pub(super) fn html(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Closed(why) => format!(
                "<p>The catalog does not answer at the moment: {}. <a href=\"/\">Look again</a>.</p>\n",
                escape(why.trim_end_matches('.')),
            ),
            Self::Stocked(products) if products.is_empty() => {
                "<p>The catalog answers, and has no products yet.</p>\n".to_owned()
            }
            Self::Stocked(products) => {
                let cards: String = products.iter().map(card).collect();
                format!("<ul class=\"shelf\">\n{cards}</ul>\n")
            }
        }
    }
}

/// The caller's own metadata, with the page's patience.
fn metadata(asked: &HeaderMap) -> HeaderMap {
    let mut metadata = headers::rest_metadata(asked).unwrap_or_default();
    metadata.insert("grpc-timeout", HeaderValue::from_static(PATIENCE));
    metadata
}

fn products(answer: &[u8]) -> Vec<Product> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let products = answer["products"].as_array().map_or(&[][..], Vec::as_slice);
    products.iter().filter_map(product).take(SHOWN).collect()
}

fn product(product: &Value) -> Option<Product> {
    let variants = product["variants"].as_array()?;
    let text = |name: &str| product[name].as_str().unwrap_or_default().to_owned();
    Some(Product {
        id: text("id"),
        title: text("title"),
        vendor: text("vendor"),
        price: price(variants),
        choices: variants.len(),
        variant: variants.first()?["id"].as_str()?.to_owned(),
    })
}

/// What a product costs: the lowest price of its variants, and whether others cost more.
fn price(variants: &[Value]) -> String {
    let prices = variants.iter().filter_map(|variant| {
        let price = &variant["price"];
        let minor = price["minor"].as_str()?.parse().ok()?;
        Some(Money::new(minor, price["currencyCode"].as_str()?))
    });
    let prices: Vec<_> = prices.collect();
    let Some(lowest) = prices.iter().min_by_key(|price| price.minor) else { return String::new() };
    let from = if prices.iter().any(|price| price != lowest) { "from " } else { "" };
    format!("{from}{}", lowest.display())
}

/// Writing to a string cannot fail, which is why its results are dropped.
fn card(product: &Product) -> String {
    let mut card = format!(
        "<li><h3><a href=\"/v1/products/{id}\">{title}</a></h3>\n",
        id = escape(&product.id),
        title = escape(&product.title),
    );
    if !product.vendor.is_empty() {
        let _ = writeln!(card, "<p class=\"quiet small\">{}</p>", escape(&product.vendor));
    }
    let choices = match product.choices {
        1 => String::new(),
        several => format!("<span class=\"quiet small\">{several} variants</span>"),
    };
    let _ = writeln!(card, "<p class=\"price\">{}{choices}</p></li>", escape(&product.price));
    card
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variant(minor: &str, currency: &str) -> Value {
        json!({ "id": "var_1", "price": { "minor": minor, "currencyCode": currency } })
    }

    #[test]
    fn a_price_is_written_by_its_currency() {
        for (variants, written) in [
            (vec![variant("1250", "EUR")], "12.50 EUR"),
            (vec![variant("1250", "JPY")], "1250 JPY"),
            (vec![variant("1250", "KWD")], "1.250 KWD"),
            (vec![variant("900", "EUR"), variant("500", "EUR")], "from 5.00 EUR"),
            (vec![variant("500", "EUR"), variant("500", "EUR")], "5.00 EUR"),
            (vec![json!({ "id": "var_1" })], ""),
        ] {
            assert_eq!(price(&variants), written);
        }
    }

    #[test]
    fn a_product_cannot_bring_markup_of_its_own() {
        let answer = json!({ "products": [{
            "id": "\"><x", "title": "<script>", "vendor": "<b>", "variants": [variant("1", "<i>")],
        }] });

        let shelf = Shelf::Stocked(products(answer.to_string().as_bytes())).html();

        for markup in ["<script>", "<b>", "<i>", "\"><x"] {
            assert!(!shelf.contains(markup), "{markup}");
        }
    }
}
