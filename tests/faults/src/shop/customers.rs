//! Customers of the shop: most read, some buy. They know two gateways and the retries of the Rust client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use mesh::policy::Policies;
use mesh::{Configs, ServiceConfig, Target};
use tokio::time::Instant;
use tradewind::catalog::v1::product::Status;
use tradewind::catalog::v1::{
    GetProductRequest, ImportProductsRequest, ImportedProduct, ListProductsRequest, Product,
    Variant,
};
use tradewind::money::v1::Money;
use tradewind::orders::v1::{Address, LineRequest, PlaceOrderRequest};
use tradewind::users::v1::RegisterRequest;
use tradewind_client::{Client, Session};

use super::world::{EMAIL, PASSWORD};
use crate::load::{Caller, Load};

/// What answers are told apart by.
pub(crate) const PRODUCT: u32 = 1;
pub(crate) const LIST: u32 = 2;
pub(crate) const ORDER: u32 = 3;

/// How many there are of what is sold: more than is ever bought.
pub(crate) const ON_HAND: i64 = 1_000_000_000;
/// How many of each are in the shop, and how often each makes a call at most.
const READERS: usize = 10;
const BUYERS: usize = 2;
const EVERY: Duration = Duration::from_millis(40);
/// How long any call may take, with all of its tries.
const DEADLINE: Duration = Duration::from_secs(5);

/// Customers, and what there is to buy.
pub(crate) struct Customers {
    clients: Vec<Client>,
    product: Product,
}

impl Customers {
    /// Fills the shop, and has each customer sign in.
    pub(crate) async fn arrive(gateways: &[SocketAddr]) -> Result<Self> {
        let anyone = anyone(gateways)?;
        let product = stocked(&anyone).await?;
        let mut clients = Vec::new();
        for number in 0..READERS + BUYERS {
            clients.push(signed_in(&anyone, &format!("customer-{number}@example.com")).await?);
        }
        Ok(Self { clients, product })
    }

    /// All of them at once.
    pub(crate) fn load(&self) -> Load {
        let callers = self.clients.iter().enumerate().map(|(number, client)| {
            if number < READERS {
                reader(client, &self.product)
            } else {
                buyer(client, &self.product)
            }
        });
        Load::start(callers.collect(), EVERY)
    }
}

/// Somebody who knows all gateways, and is not signed in.
pub(crate) fn anyone(gateways: &[SocketAddr]) -> Result<Client> {
    let at: Vec<_> = gateways.iter().map(ToString::to_string).collect();
    let target: Target = format!("static:{}", at.join(",")).parse()?;
    let policies = Policies::read(&[contract::DESCRIPTORS, tradewind::DESCRIPTORS])?;
    let once = Configs::fixed(ServiceConfig::once());
    Ok(Client::over(mesh::channel::dial(target, Arc::new(policies), once))?)
}

/// The merchant of the shop.
pub(crate) async fn merchant(anyone: &Client) -> Result<Client> {
    let merchant = Session::log_in(anyone, EMAIL, PASSWORD).await.context("no merchant")?;
    Ok(anyone.signed_in(Arc::new(merchant)))
}

/// A customer with an account.
async fn signed_in(anyone: &Client, email: &str) -> Result<Client> {
    let request = RegisterRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        display_name: "Ada".to_owned(),
    };
    anyone.users().register(request).await.context("nobody can register")?;
    let session = Session::log_in(anyone, email, PASSWORD).await.context("nobody can log in")?;
    Ok(anyone.signed_in(Arc::new(session)))
}

/// Puts a product into the shop, with more on hand than is ever bought.
pub(crate) async fn stocked(anyone: &Client) -> Result<Product> {
    let merchant = merchant(anyone).await?;
    let product = Product {
        handle: "lamp".to_owned(),
        title: "Lamp".to_owned(),
        status: Status::Active as i32,
        variants: vec![Variant {
            sku: "lamp".to_owned(),
            price: Some(Money { currency_code: "EUR".to_owned(), minor: 1_900 }),
            requires_shipping: true,
            ..Variant::default()
        }],
        ..Product::default()
    };
    let lamp = ImportedProduct { product: Some(product), on_hand: vec![ON_HAND] };
    let request = ImportProductsRequest { products: vec![lamp], set_stock: true };
    merchant.catalog().import_products(request).await.context("nothing can be sold")?;
    let listed = merchant.catalog().list_products(ListProductsRequest::default()).await;
    listed.context("nothing is listed")?.into_inner().products.pop().context("there is no product")
}

/// An order of one, paid at once.
pub(crate) fn order(variant_id: &str) -> PlaceOrderRequest {
    PlaceOrderRequest {
        lines: vec![LineRequest { variant_id: variant_id.to_owned(), quantity: 1 }],
        email: "ada@example.com".to_owned(),
        shipping_address: Some(Address {
            recipient: "Ada".to_owned(),
            lines: vec!["Quay 7".to_owned()],
            city: "Hamburg".to_owned(),
            country_code: "DE".to_owned(),
            ..Address::default()
        }),
        payment_method: "sim_ok".to_owned(),
    }
}

/// Looks at a product, then at the list, then at the product again.
fn reader(client: &Client, product: &Product) -> Caller {
    let (client, id, mut looks) = (client.clone(), product.id.clone(), 0_usize);
    Box::new(move || {
        looks += 1;
        let client = client.until(Instant::now() + DEADLINE);
        let (id, lists) = (id.clone(), looks.is_multiple_of(5));
        Box::pin(async move {
            if lists {
                let request = ListProductsRequest { page_size: 5, ..Default::default() };
                told(client.catalog().list_products(request).await, LIST)
            } else {
                let request = GetProductRequest { id };
                told(client.catalog().get_product(request).await, PRODUCT)
            }
        })
    })
}

/// Buys one; the client gives each order a key, with which it may be sent again.
fn buyer(client: &Client, product: &Product) -> Caller {
    let client = client.clone();
    let variant_id = product.variants.first().map(|variant| variant.id.clone()).unwrap_or_default();
    Box::new(move || {
        let client = client.until(Instant::now() + DEADLINE);
        let request = order(&variant_id);
        Box::pin(async move { told(client.orders().place_order(request).await, ORDER) })
    })
}

fn told<T>(answer: Result<T, mesh::Status>, kind: u32) -> Result<u32, mesh::Code> {
    answer.map(|_| kind).map_err(|status| {
        let kind = match kind {
            ORDER => "an order",
            LIST => "a list",
            _ => "a product",
        };
        crate::tell(&format!("faults: {kind} failed: {status:?}"));
        status.code()
    })
}
