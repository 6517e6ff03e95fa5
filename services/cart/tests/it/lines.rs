//! Lines put in, changed and taken out, and what they cost.

use harness::Engine;
use mesh::Code;
use tradewind::cart::v1::priced_line::Problem;
use tradewind::cart::v1::{
    CartLine, ClearCartRequest, ListLinesRequest, RemoveLineRequest, SetQuantityRequest,
};
use tradewind::money::v1::Money;

use crate::shop::{Shop, in_it, refusal};

#[tokio::test]
async fn the_table_fits_its_resource() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;

        shop.harness.store("cart").check::<CartLine>().await.unwrap();
    }
}

#[tokio::test]
async fn a_cart_is_priced_from_the_catalog_as_it_is_now() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        for (variant_id, quantity) in [("var_a", 2), ("var_b", 3), ("var_c", 1), ("var_d", 1)] {
            shop.shelf.sell(variant_id, 1000, Some(5));
            shop.add(&ada, variant_id, quantity).await.unwrap();
        }
        shop.shelf.sell("var_b", 1000, Some(2));
        shop.shelf.archive("var_c");
        shop.shelf.sell("var_d", 1200, None);

        let cart = shop.get(&ada).await;

        let line = |id: &str| cart.lines.iter().find(|line| line.variant_id == id).unwrap();
        assert_eq!(line("var_a").problem(), Problem::Unspecified);
        assert_eq!(line("var_a").total, Some(Money::new(2000, "EUR")));
        assert_eq!(line("var_a").title, "Shirt");
        assert_eq!(line("var_b").problem(), Problem::OutOfStock);
        assert_eq!(line("var_b").available, Some(2));
        assert_eq!(line("var_c").problem(), Problem::NotSold);
        assert_eq!(line("var_c").price, None);
        assert_eq!(line("var_d").problem(), Problem::PriceChanged);
        assert_eq!(cart.subtotal, Some(Money::new(3200, "EUR")));
    }
}

#[tokio::test]
async fn lines_stand_in_the_order_they_were_put_in() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        for variant_id in ["var_c", "var_a", "var_b", "var_c"] {
            shop.shelf.sell(variant_id, 1000, None);
            shop.add(&ada, variant_id, 1).await.unwrap();
            shop.harness.clock.advance(std::time::Duration::from_millis(1));
        }

        let lines = shop.get(&ada).await.lines;

        let order: Vec<_> = lines.iter().map(|line| line.variant_id.as_str()).collect();
        assert_eq!(order, ["var_c", "var_a", "var_b"]);
    }
}

#[tokio::test]
async fn a_quantity_is_set_and_0_takes_the_line_out() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, Some(10));
        let set = async |quantity| {
            let request = SetQuantityRequest { variant_id: "var_a".into(), quantity };
            shop.cart(&ada).set_quantity(request).await.map(mesh::Response::into_inner)
        };

        let new = set(4).await.unwrap();
        assert_eq!((new.quantity, new.customer_id.as_str()), (4, "usr_ada"));
        assert_eq!(set(4).await.unwrap(), new);
        assert_eq!(refusal(set(11).await), (Code::FailedPrecondition, "OUT_OF_STOCK".into()));
        assert_eq!(set(2).await.unwrap().id, new.id);
        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 2)]));

        shop.shelf.archive("var_a");
        for _ in 0..2 {
            assert_eq!(set(0).await.unwrap().quantity, 0);
        }
        assert!(shop.get(&ada).await.lines.is_empty());
    }
}

#[tokio::test]
async fn lines_are_taken_out_one_by_one_and_all_at_once() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let (ada, bob) = (shop.harness.as_customer("usr_ada"), shop.harness.as_guest("gst_bob"));
        for variant_id in ["var_a", "var_b", "var_c"] {
            shop.shelf.sell(variant_id, 1000, None);
            shop.add(&ada, variant_id, 1).await.unwrap();
            shop.add(&bob, variant_id, 1).await.unwrap();
        }

        for _ in 0..2 {
            let request = RemoveLineRequest { variant_id: "var_b".into() };
            shop.cart(&ada).remove_line(request).await.unwrap();
            assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 1), ("var_c", 1)]));
        }
        for _ in 0..2 {
            shop.cart(&ada).clear_cart(ClearCartRequest {}).await.unwrap();
            assert!(shop.get(&ada).await.lines.is_empty());
        }
        assert_eq!(shop.get(&bob).await.lines.len(), 3);
    }
}

#[tokio::test]
async fn the_lines_of_another_customer_are_out_of_reach() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, None);
        shop.add(&ada, "var_a", 7).await.unwrap();
        // One has the permission to read carts, one the same id in another project.
        let others = [
            shop.harness.as_customer("usr_eve"),
            shop.harness.as_user("usr_support", &["admin"], "default"),
            shop.harness.as_user("usr_ada", &["customer"], "another"),
        ];

        for other in &others {
            assert!(shop.get(other).await.lines.is_empty());
            let request = RemoveLineRequest { variant_id: "var_a".into() };
            shop.cart(other).remove_line(request).await.unwrap();
            let request = SetQuantityRequest { variant_id: "var_a".into(), quantity: 1 };
            shop.cart(other).set_quantity(request).await.unwrap();
            shop.cart(other).clear_cart(ClearCartRequest {}).await.unwrap();
        }

        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 7)]));
        let nobody = shop.cart(&shop.harness.nobody()).clear_cart(ClearCartRequest {}).await;
        assert_eq!(refusal(nobody).0, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn only_services_list_the_lines_of_a_customer() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, None);
        let line = shop.add(&ada, "var_a", 7).await.unwrap();
        let request = || ListLinesRequest { customer_id: "usr_ada".into() };

        let orders = shop.harness.as_service("orders", Some("usr_ada"));
        let listed = shop.cart(&orders).list_lines(request()).await.unwrap().into_inner();
        assert_eq!(listed.lines, [line]);
        let refused = shop.cart(&ada).list_lines(request()).await;
        assert_eq!(refusal(refused), (Code::PermissionDenied, "SERVICES_ONLY".into()));
    }
}
