//! Placing an order: what it costs, what it takes, what is refused.

use harness::Engine;
use mesh::{Code, Status};
use tonic_types::StatusExt;
use tradewind::catalog::v1::reservation;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{LineRequest, PlaceOrderRequest, QuoteOrderRequest, payment};

use crate::world::{TOTAL, World, keyed, minor, refusal, shirts, stands};

fn line(variant_id: &str, quantity: i64) -> LineRequest {
    LineRequest { variant_id: variant_id.into(), quantity }
}

/// The first field that a refusal names.
fn field(status: &Status) -> String {
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}

#[tokio::test]
async fn prices_and_totals_are_the_catalogs_now() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        world.catalog.sell("var_book", 2_505, false, 5);
        let lines = vec![line("var_shirt", 2), line("var_book", 1)];
        let request = PlaceOrderRequest { lines: lines.clone(), ..shirts(0, "sim_ok") };

        let mut client = world.client(&world.customer());
        let placed = client.place_order(keyed("k", request)).await.unwrap().into_inner();
        world.catalog.sell("var_shirt", 1_100, true, 10);
        let quote = client.quote_order(QuoteOrderRequest { lines }).await.unwrap().into_inner();

        let order = world.get(&placed.order.unwrap().id).await;
        assert_eq!(minor(order.lines[0].price.as_ref()), 1_000);
        assert_eq!(minor(order.lines[0].total.as_ref()), 2_000);
        assert_eq!(order.lines[1].title, "Shirt");
        assert_eq!(minor(order.goods.as_ref()), 4_505);
        assert_eq!(minor(order.shipping.as_ref()), 490);
        // 19 % of 2000 + 490, which are taxed.
        assert_eq!(minor(order.tax.as_ref()), 473);
        assert_eq!(minor(order.total.as_ref()), 5_468);
        assert_eq!(minor(quote.goods.as_ref()), 4_705);
        assert_eq!(world.till.kept(&order.id), 5_468);
    }
}

#[tokio::test]
async fn a_paid_order_is_confirmed_and_its_stock_leaves() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;

        let order = world.placed("sim_ok").await;

        assert_eq!(stands(&order), (State::Confirmed, payment::State::Paid));
        assert_eq!(minor(order.total.as_ref()), TOTAL);
        assert_eq!(order.email, "usr_1@example.com");
        assert_eq!(order, world.get(&order.id).await);
        assert_eq!(world.till.taken(&order.id), 1);
        assert_eq!(world.catalog.reservation(&order.id), Some(reservation::State::Committed));
        assert_eq!(world.catalog.level("var_shirt"), (8, 0));
        assert_eq!(world.listener.heard(&order.id), ["OrderConfirmed"]);
    }
}

#[tokio::test]
async fn an_order_takes_two_commits_before_its_answer() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let before = world.harness.store("orders").commits();

        world.place("k", "sim_requires_action").await.unwrap();

        // Nothing follows an order that waits for its customer, so nothing else is counted.
        assert_eq!(world.till.commits_at_pay() - before, 1);
        assert_eq!(world.harness.store("orders").commits() - before, 2);
    }
}

#[tokio::test]
async fn an_order_without_lines_is_of_the_cart() {
    let world = World::open(Engine::Sqlite).await;
    world.customers.fill("usr_1", &[("var_shirt", 3)]);
    let request = PlaceOrderRequest { lines: Vec::new(), ..shirts(0, "sim_ok") };
    let mut client = world.client(&world.customer());

    let placed = client.place_order(keyed("k", request.clone())).await.unwrap().into_inner();
    world.customers.fill("usr_1", &[]);
    let refused = client.place_order(keyed("l", request)).await;

    assert_eq!(placed.order.unwrap().lines[0].quantity, 3);
    assert_eq!(refusal(refused), (Code::FailedPrecondition, "NOTHING_TO_ORDER".into()));
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_with_its_field() {
    let world = World::open(Engine::Sqlite).await;
    let unknown = vec![line("var_shirt", 1), line("var_none", 1)];
    let twice = vec![line("var_shirt", 1), line("var_shirt", 1)];
    let bad_mail = PlaceOrderRequest { email: "nobody".into(), ..shirts(1, "sim_ok") };
    let cases = [
        (
            PlaceOrderRequest { lines: unknown, ..shirts(0, "sim_ok") },
            "VARIANT_NOT_SOLD",
            "lines[1].variant_id",
        ),
        (
            PlaceOrderRequest { lines: twice, ..shirts(0, "sim_ok") },
            "VARIANT_TWICE",
            "lines[1].variant_id",
        ),
        (bad_mail, "INVALID_EMAIL", "email"),
    ];
    let mut client = world.client(&world.customer());

    for (request, reason, at) in cases {
        let status = client.place_order(keyed(reason, request)).await.unwrap_err();
        assert_eq!(field(&status), at);
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
    }
    let mut guest = world.client(&world.harness.as_guest("gst_1"));
    let status = guest.place_order(keyed("k", shirts(1, "sim_ok"))).await.unwrap_err();

    assert_eq!(field(&status), "email");
    assert!(world.all().await.is_empty());
    assert_eq!(world.till.intents(), 0);
}

#[tokio::test]
async fn out_of_stock_makes_no_order_and_names_the_lines() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        world.catalog.sell("var_shirt", 1_000, true, 1);

        let status = world.place("k", "sim_ok").await.unwrap_err();
        world.settle().await;

        assert_eq!(status.code(), Code::FailedPrecondition);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.metadata["var_shirt"].as_str()),
            ("OUT_OF_STOCK", "1")
        );
        let named = status.get_details_precondition_failure().unwrap().violations;
        assert_eq!(named[0].subject, "var_shirt");
        assert!(world.all().await.is_empty());
        assert_eq!(world.till.intents(), 0);
        assert_eq!(world.catalog.level("var_shirt"), (1, 0));

        world.catalog.sell("var_shirt", 1_000, true, 2);
        let placed = world.place("new", "sim_ok").await.unwrap();

        assert_eq!(placed.order.unwrap().state(), State::Confirmed);
    }
}

#[tokio::test]
async fn a_method_that_no_provider_takes_makes_no_order_and_gives_the_stock_back() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;

        let refused = world.place("k", "card_none").await;

        assert_eq!(refusal(refused), (Code::FailedPrecondition, "NO_PROVIDER".into()));
        assert!(world.all().await.is_empty());
        assert_eq!(world.catalog.level("var_shirt"), (10, 0));
        assert!(world.place("new", "sim_ok").await.is_ok());
    }
}
