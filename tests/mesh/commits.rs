//! What a checkout costs: the commits of all services before its answer.

use std::collections::BTreeMap;

use harness::{Engine, Harness, Part};
use mesh::Request;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::product::Status;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::catalog::v1::{CreateProductRequest, Product, SetStockRequest, Variant};
use tradewind::money::v1::Money;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::{Address, LineRequest, PlaceOrderRequest};
use tradewind::users::v1::GetProjectRequest;
use tradewind::users::v1::users_service_client::UsersServiceClient;

use crate::parts::parts;

/// The most that a checkout may cost. One of them is the simulator's, which stands for another company.
const MOST: u64 = 8;
const SERVICES: [&str; 7] =
    ["users", "catalog", "cart", "orders", "payments", "ledger", "notifications"];

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_commits_at_most_eight_times_before_its_answer() {
    for engine in Engine::ALL {
        for lines in [1, 3] {
            // Nothing happens but the calls: no task, no event, no sweep blurs what they cost.
            let parts = parts().into_iter().map(Part::at_rest).collect();
            let harness = Harness::start(engine, parts).await;
            let variants = sell(&harness, lines).await;
            // The first question makes the project.
            let channel = harness.peer("users").of(&harness.as_guest("gst_1"));
            UsersServiceClient::new(channel).get_project(GetProjectRequest {}).await.unwrap();
            for repeat in ["the first", "another"] {
                let before = commits(&harness);

                place(&harness, &variants, repeat).await;

                let made: BTreeMap<_, _> = commits(&harness)
                    .into_iter()
                    .map(|(service, count)| (service, count - before[service]))
                    .filter(|(_, count)| *count > 0)
                    .collect();
                let all: u64 = made.values().sum();
                let told = format!("{engine:?}, {repeat} order, {lines} lines: {all} of {made:?}");
                assert!(all <= MOST, "{told}");
                // As the README of orders says: the first one opens the accounts.
                assert_eq!(all, if repeat == "the first" { 8 } else { 7 }, "{told}");
            }
            let page = harness.mesh.metrics().page();
            let method = "tradewind.orders.v1.OrdersService/PlaceOrder";
            let counted =
                format!("store_commits_total{{service=\"orders\",method=\"{method}\"}} 4");
            assert!(page.contains(&counted), "{page}");
        }
    }
}

fn commits(harness: &Harness) -> BTreeMap<&'static str, u64> {
    SERVICES.into_iter().map(|service| (service, harness.store(service).commits())).collect()
}

/// Makes products of one variant each, with stock.
async fn sell(harness: &Harness, products: usize) -> Vec<String> {
    let peer = || harness.peer("catalog").of(&harness.as_merchant());
    let (mut catalog, mut stock) =
        (CatalogServiceClient::new(peer()), StockServiceClient::new(peer()));
    let mut variants = Vec::new();
    for at in 0..products {
        let price = Some(Money::new(2500, "EUR"));
        let mut product = Product {
            handle: format!("product-{at}"),
            title: format!("Product {at}"),
            variants: vec![Variant { price, taxable: true, ..Variant::default() }],
            ..Product::default()
        };
        product.set_status(Status::Active);
        let request = CreateProductRequest { product: Some(product) };
        let made = catalog.create_product(request).await.unwrap().into_inner();
        let variant_id = made.variants[0].id.clone();
        let request = SetStockRequest { variant_id: variant_id.clone(), on_hand: 10 };
        stock.set_stock(request).await.unwrap();
        variants.push(variant_id);
    }
    variants
}

async fn place(harness: &Harness, variants: &[String], key: &str) {
    let line = |id: &String| LineRequest { variant_id: id.clone(), quantity: 1 };
    let mut request = Request::new(PlaceOrderRequest {
        lines: variants.iter().map(line).collect(),
        email: "ada@example.com".into(),
        shipping_address: Some(Address {
            recipient: "Ada".into(),
            lines: vec!["Quay 7".into()],
            city: "Hamburg".into(),
            country_code: "DE".into(),
            ..Address::default()
        }),
        payment_method: "sim_ok".into(),
    });
    request.metadata_mut().insert(mesh::IDEMPOTENCY_KEY, key.replace(' ', "-").parse().unwrap());
    let channel = harness.peer("orders").of(&harness.as_guest("gst_1"));
    let placed = OrdersServiceClient::new(channel).place_order(request).await.unwrap();
    assert_eq!(placed.into_inner().order.unwrap().state(), State::Confirmed);
}
