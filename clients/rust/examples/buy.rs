//! Buys something as a guest: searches, fills a cart, places an order and pays it.
//!
//! `cargo run -p tradewind-client --example buy -- http://127.0.0.1:8080`

use std::error::Error;
use std::io::Write;
use std::sync::Arc;

use tradewind::cart::v1::AddLineRequest;
use tradewind::catalog::v1::SearchProductsRequest;
use tradewind::orders::v1::{Address, Order, PlaceOrderRequest};
use tradewind_client::{Client, Session};

/// Buys one of the first thing that is found; the order.
pub(crate) async fn buy(url: &str) -> Result<Order, Box<dyn Error + Send + Sync>> {
    let anyone = Client::connect(url).await?;
    let guest = anyone.signed_in(Arc::new(Session::guest(&anyone).await?));

    let request = SearchProductsRequest { query: "shirt".into(), ..Default::default() };
    let found = guest.catalog().search_products(request).await?.into_inner();
    let variant = found.products.iter().flat_map(|product| &product.variants).next();
    let variant_id = variant.ok_or("nothing is found")?.id.clone();
    guest.cart().add_line(AddLineRequest { variant_id, quantity: 1 }).await?;

    // The key that makes a repeat the same order is made by the client, once for all of its tries.
    let request = PlaceOrderRequest {
        email: "ada@example.com".into(),
        shipping_address: Some(Address {
            recipient: "Ada".into(),
            lines: vec!["Quay 7".into()],
            city: "Hamburg".into(),
            country_code: "DE".into(),
            ..Default::default()
        }),
        payment_method: "sim_ok".into(),
        ..Default::default()
    };
    let placed = guest.orders().place_order(request).await?.into_inner();
    placed.order.ok_or_else(|| "there is no order in the answer".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8080".into());
    let order = buy(&url).await?;
    let total = order.total.unwrap_or_default();
    writeln!(std::io::stdout(), "{}: {} {}", order.id, total.minor, total.currency_code)?;
    Ok(())
}
