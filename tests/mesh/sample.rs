//! Something to sell.

use serde_json::{Value, json};
use store_testing::Engine;

use crate::customer::Person;
use crate::world::{Shape, World};

/// The sample shop, once its products can be found.
pub(crate) async fn shop() -> World {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let guest = Person::guest(world.gateway).await;
    let found = |found: &Value| found.pointer("/products/0").is_some();
    guest.get_until("/v1/products:search?query=shirt", found).await;
    world
}

/// Makes a product of one variant with so much stock; answers the variant's id.
pub(crate) async fn product(merchant: &Person, handle: &str, on_hand: i64) -> String {
    let product = json!({
        "handle": handle,
        "title": format!("Product {handle}"),
        "status": "STATUS_ACTIVE",
        "variants": [{"price": {"currencyCode": "EUR", "minor": "2500"}, "taxable": true}],
    });
    let made = merchant.post("/v1/products", product).await;
    assert_eq!(made.status, 200, "{made:?}");
    let variant = made.text("/variants/0/id");
    let path = format!("/v1/stock/{variant}:set");
    let set = merchant.post(&path, json!({"onHand": on_hand})).await;
    assert_eq!(set.status, 200, "{set:?}");
    variant
}
