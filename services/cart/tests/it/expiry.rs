//! Carts that guests left.

use std::time::Duration;

use cart::Config;
use harness::Engine;
use tokio::time::{Instant, sleep};

use crate::shop::{Shop, in_it};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn wait_until_empty(shop: &Shop, guest: &mesh::Context) {
    let end = Instant::now() + Duration::from_secs(20);
    while !shop.get(guest).await.lines.is_empty() {
        assert!(Instant::now() < end, "the cart is still there");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_guests_cart_is_removed_30_days_after_it_was_last_touched() {
    for engine in Engine::ALL {
        let config = Config { sweep_every: Duration::from_millis(10), ..Config::default() };
        let shop = Shop::with(engine, config).await;
        let ada = shop.harness.as_customer("usr_ada");
        let (gone, back) = (shop.harness.as_guest("gst_1"), shop.harness.as_guest("gst_2"));
        for variant_id in ["var_a", "var_b"] {
            shop.shelf.sell(variant_id, 1000, None);
        }
        for who in [&ada, &gone, &back] {
            shop.add(who, "var_a", 1).await.unwrap();
        }
        shop.harness.clock.advance(29 * DAY);
        shop.add(&back, "var_b", 1).await.unwrap();
        assert_eq!(shop.quantities(&gone).await, in_it(&[("var_a", 1)]));

        shop.harness.clock.advance(2 * DAY);
        wait_until_empty(&shop, &gone).await;

        assert_eq!(shop.quantities(&back).await, in_it(&[("var_a", 1), ("var_b", 1)]));
        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 1)]));
        shop.harness.clock.advance(30 * DAY);
        wait_until_empty(&shop, &back).await;
        shop.add(&gone, "var_a", 1).await.unwrap();
        assert_eq!(shop.quantities(&gone).await, in_it(&[("var_a", 1)]));
    }
}
