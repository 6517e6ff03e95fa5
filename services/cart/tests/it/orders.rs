//! Orders that are paid, and what they leave in the cart.

use contract::mesh::v1::Event;
use harness::Engine;
use mesh::clock::timestamp;
use prost::Message;
use tradewind::orders::v1::{Order, OrderConfirmed, OrderLine};

use crate::shop::{Shop, in_it};

async fn confirm(shop: &Shop, event_id: &str, customer_id: &str, lines: &[(&str, i64)]) {
    confirm_of(shop, event_id, customer_id, lines, None).await;
}

/// Tells of an order that was placed at a time.
async fn confirm_of(
    shop: &Shop,
    event_id: &str,
    customer_id: &str,
    lines: &[(&str, i64)],
    placed: Option<i64>,
) {
    let lines = lines.iter().map(|(variant_id, quantity)| OrderLine {
        variant_id: (*variant_id).into(),
        quantity: *quantity,
        ..OrderLine::default()
    });
    let order = Order {
        id: "ord_1".into(),
        customer_id: customer_id.into(),
        lines: lines.collect(),
        create_time: placed.map(timestamp),
        ..Order::default()
    };
    let event = Event {
        id: event_id.into(),
        r#type: "tradewind.orders.v1.OrderConfirmed".into(),
        project: "default".into(),
        key: "ord_1".into(),
        subject: customer_id.into(),
        data: OrderConfirmed { order: Some(order) }.encode_to_vec(),
        ..Event::default()
    };
    let orders = shop.harness.as_service("orders", Some(customer_id));
    shop.harness.mesh.bus().deliver(&orders, "cart", vec![event]).await.unwrap();
}

#[tokio::test]
async fn what_was_ordered_leaves_the_cart_once_however_often_it_is_told() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let (ada, bob) = (shop.harness.as_customer("usr_ada"), shop.harness.as_customer("usr_bob"));
        for variant_id in ["var_a", "var_b", "var_c"] {
            shop.shelf.sell(variant_id, 1000, None);
            shop.add(&ada, variant_id, 5).await.unwrap();
            shop.add(&bob, variant_id, 5).await.unwrap();
        }

        for _ in 0..3 {
            let ordered = [("var_a", 5), ("var_b", 2), ("var_unknown", 1)];
            confirm(&shop, "evt_1", "usr_ada", &ordered).await;
            assert_eq!(shop.quantities(&ada).await, in_it(&[("var_b", 3), ("var_c", 5)]));
        }
        confirm(&shop, "evt_2", "usr_ada", &[("var_b", 2)]).await;

        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_b", 1), ("var_c", 5)]));
        assert_eq!(shop.get(&bob).await.lines.len(), 3);
    }
}

#[tokio::test]
async fn what_was_put_in_after_an_order_stays_though_the_cart_hears_of_the_order_later() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, None);
        let before = Some(1);
        shop.add(&ada, "var_a", 1).await.unwrap();

        confirm_of(&shop, "evt_1", "usr_ada", &[("var_a", 1)], before).await;

        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 1)]));
    }
}

#[tokio::test]
async fn an_order_of_a_customer_without_a_cart_changes_nothing() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;

        confirm(&shop, "evt_1", "usr_new", &[("var_a", 1)]).await;

        assert!(shop.get(&shop.harness.as_customer("usr_new")).await.lines.is_empty());
    }
}
