//! Stock: held, committed, given back.

use std::collections::HashMap;
use std::time::Duration;

use harness::Engine;
use mesh::{Code, Status};
use tonic_types::StatusExt;
use tradewind::catalog::v1::reservation::State;
use tradewind::catalog::v1::stock_movement::Kind;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::catalog::v1::{
    ArchiveProductRequest, CommitReservationRequest, GetStockRequest, ListStockMovementsRequest,
    ReleaseReservationRequest, Reservation, StockLevel, StockMovement,
};

use crate::shop::{Shop, reserve_request, simple, verdict};

async fn level(shop: &Shop, variant_id: &str) -> StockLevel {
    let request = GetStockRequest { variant_id: variant_id.into() };
    shop.stock().get_stock(request).await.unwrap().into_inner()
}

async fn commit(shop: &Shop, order_id: &str) -> Result<Reservation, Status> {
    let request = CommitReservationRequest { order_id: order_id.into() };
    Ok(shop.stock().commit_reservation(request).await?.into_inner())
}

async fn release(shop: &Shop, order_id: &str) -> Result<Reservation, Status> {
    let request = ReleaseReservationRequest { order_id: order_id.into() };
    Ok(shop.stock().release_reservation(request).await?.into_inner())
}

#[tokio::test]
async fn what_is_reserved_is_committed_or_given_back_once() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        let mug = shop.stocked("mug", 10).await;
        let lines: &[(&str, i64)] = &[(&tea, 3), (&mug, 1)];
        shop.reserve("ord_kept", lines).await.unwrap();
        shop.reserve("ord_left", lines).await.unwrap();
        let before = level(&shop, &tea).await;

        for _ in 0..2 {
            assert_eq!(commit(&shop, "ord_kept").await.unwrap().state(), State::Committed);
            assert_eq!(release(&shop, "ord_left").await.unwrap().state(), State::Released);
        }

        let after = level(&shop, &tea).await;
        assert_eq!((after.on_hand, after.reserved), (7, 0));
        assert_ne!(before.etag, after.etag);
        for _ in 0..2 {
            assert_eq!(release(&shop, "ord_kept").await.unwrap().state(), State::Released);
        }
        assert_eq!(level(&shop, &tea).await.on_hand, 10, "what had left has come back");
        let late = verdict(commit(&shop, "ord_left").await);
        assert_eq!(late, (Code::FailedPrecondition, "RESERVATION_RELEASED".into()));
        let unknown = verdict(commit(&shop, "ord_none").await);
        assert_eq!(unknown, (Code::NotFound, "RESERVATION_NOT_FOUND".into()));
        shop.verify().await;
    }
}

#[tokio::test]
async fn what_was_given_back_before_it_was_held_is_never_held() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;

        let given_back = release(&shop, "ord_late").await.unwrap();
        let late = shop.reserve("ord_late", &[(&tea, 3)]).await.unwrap();

        assert_eq!((given_back.state(), late.state()), (State::Released, State::Released));
        assert_eq!(level(&shop, &tea).await.reserved, 0);
        let never = verdict(commit(&shop, "ord_late").await);
        assert_eq!(never, (Code::FailedPrecondition, "RESERVATION_RELEASED".into()));
        shop.verify().await;
    }
}

#[tokio::test]
async fn all_lines_are_held_or_none_and_each_that_falls_short_is_named() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        let mug = shop.stocked("mug", 1).await;
        let pot = shop.stocked("pot", 0).await;

        let refused = shop.reserve("ord_1", &[(&tea, 3), (&mug, 2), (&pot, 1)]).await.unwrap_err();

        assert_eq!(refused.code(), Code::FailedPrecondition);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.reason, "OUT_OF_STOCK");
        let available = HashMap::from([(mug.clone(), "1".into()), (pot.clone(), "0".into())]);
        assert_eq!(info.metadata, available);
        let short = refused.get_details_precondition_failure().unwrap().violations;
        assert!(short.iter().all(|violation| violation.r#type == "OUT_OF_STOCK"));
        assert_eq!(short.len(), 2);
        assert_eq!(level(&shop, &tea).await.reserved, 0);
        shop.reserve("ord_1", &[(&tea, 3), (&mug, 1)]).await.unwrap();
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_hundred_lines_that_fall_short_are_told_with_what_there_is_of_each() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let mut goods = Vec::new();
        for number in 0..100 {
            goods.push(shop.stocked(&format!("mug-{number}"), number % 7).await);
        }
        let lines: Vec<_> = goods.iter().map(|id| (id.as_str(), 1000)).collect();

        let refused = shop.reserve("ord_1", &lines).await.unwrap_err();

        let told = refused.get_details_error_info().unwrap().metadata;
        assert_eq!(told.len(), 100, "{engine:?}");
        assert!((0..100).all(|number| told[&goods[number]] == (number % 7).to_string()));
    }
}

#[tokio::test]
async fn a_repeat_for_an_order_answers_its_first_reservation() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        let mug = shop.stocked("mug", 10).await;

        let first = shop.reserve("ord_1", &[(&tea, 3), (&mug, 1)]).await.unwrap();
        let again = shop.reserve("ord_1", &[(&mug, 1), (&tea, 3)]).await.unwrap();
        let other = verdict(shop.reserve("ord_1", &[(&tea, 4)]).await);
        let twice = verdict(shop.reserve("ord_2", &[(&tea, 4), (&tea, 4)]).await);

        assert_eq!(first, again);
        assert_eq!(other, (Code::FailedPrecondition, "RESERVATION_EXISTS".into()));
        assert_eq!(twice, (Code::InvalidArgument, "REPEATED_LINE".into()));
        assert_eq!(level(&shop, &tea).await.reserved, 3);
    }
}

#[tokio::test]
async fn what_is_not_counted_is_available_and_what_is_not_sold_is_not() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let endless = shop.create(simple("download")).await.variants[0].id.clone();
        let gone = shop.create(simple("gone")).await;
        let request = ArchiveProductRequest { id: gone.id.clone() };
        shop.merchant().archive_product(request).await.unwrap();

        shop.reserve("ord_1", &[(&endless, 1_000_000)]).await.unwrap();
        let archived = verdict(shop.reserve("ord_2", &[(&gone.variants[0].id, 1)]).await);
        let unknown = verdict(shop.reserve("ord_3", &[(&endless, 1), ("var_none", 1)]).await);

        let not_sold = (Code::FailedPrecondition, "VARIANT_NOT_SOLD".to_owned());
        assert_eq!(archived, not_sold);
        assert_eq!(unknown, not_sold);
        // Counted from now on; what was ordered before was not.
        shop.set(&endless, 5).await.unwrap();
        commit(&shop, "ord_1").await.unwrap();
        assert_eq!(level(&shop, &endless).await.on_hand, 5);
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_reservation_that_nobody_ends_ends_by_itself() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        shop.reserve("ord_left", &[(&tea, 3)]).await.unwrap();
        shop.reserve("ord_kept", &[(&tea, 4)]).await.unwrap();
        commit(&shop, "ord_kept").await.unwrap();

        shop.harness.clock.advance(Duration::from_secs(899));
        shop.harness.settle().await;
        assert_eq!(level(&shop, &tea).await.reserved, 3);
        shop.harness.clock.advance(Duration::from_secs(2));
        shop.harness.settle().await;

        let left = level(&shop, &tea).await;
        assert_eq!((left.on_hand, left.reserved), (6, 0));
        assert_eq!(release(&shop, "ord_left").await.unwrap().state(), State::Released);
        shop.verify().await;
    }
}

#[tokio::test]
async fn stock_is_not_set_below_what_orders_hold_nor_for_what_there_is_not() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        shop.reserve("ord_1", &[(&tea, 3)]).await.unwrap();

        let below = verdict(shop.set(&tea, 2).await);
        let unknown = verdict(shop.set("var_none", 2).await);
        shop.set(&tea, 3).await.unwrap();

        assert_eq!(below, (Code::FailedPrecondition, "STOCK_BELOW_RESERVED".into()));
        assert_eq!(unknown, (Code::NotFound, "VARIANT_NOT_FOUND".into()));
        shop.verify().await;
    }
}

#[tokio::test]
async fn movements_are_listed_newest_first_in_pages() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        shop.reserve("ord_1", &[(&tea, 3)]).await.unwrap();
        commit(&shop, "ord_1").await.unwrap();
        let request = ListStockMovementsRequest {
            variant_id: tea.clone(),
            page_size: 2,
            ..ListStockMovementsRequest::default()
        };

        let first = shop.stock().list_stock_movements(request.clone()).await.unwrap().into_inner();
        let request =
            ListStockMovementsRequest { page_token: first.next_page_token.clone(), ..request };
        let second = shop.stock().list_stock_movements(request.clone()).await.unwrap().into_inner();

        let kinds: Vec<_> =
            first.movements.iter().chain(&second.movements).map(StockMovement::kind).collect();
        assert_eq!(kinds, [Kind::Committed, Kind::Reserved, Kind::Set]);
        assert_eq!((first.movements[0].on_hand_delta, first.movements[0].reserved_delta), (-3, -3));
        assert_eq!(second.next_page_token, "");
        let request = ListStockMovementsRequest { page_token: "x".into(), ..request };
        let refused = verdict(shop.stock().list_stock_movements(request).await);
        assert_eq!(refused, (Code::InvalidArgument, "INVALID_PAGE_TOKEN".into()));
    }
}

#[tokio::test]
async fn a_customer_reserves_nothing() {
    let shop = Shop::open(Engine::Sqlite).await;
    let tea = shop.stocked("tea", 10).await;
    let customer = shop.harness.as_customer("usr_1");
    let mut stock = StockServiceClient::new(shop.harness.peer(catalog::NAME).of(&customer));

    let refused = stock.reserve(reserve_request("ord_1", &[(&tea, 1)], 0)).await;

    assert_eq!(verdict(refused).0, Code::PermissionDenied);
}

#[tokio::test]
async fn a_reservation_costs_one_commit_and_seven_statements() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        let mug = shop.stocked("mug", 10).await;
        let store = shop.harness.store(catalog::NAME);
        shop.rest().await;
        let mut least = u64::MAX;
        for order in 0..3 {
            let order = format!("ord_{order}");
            let (commits, statements) = (store.commits(), store.statements());
            shop.reserve(&order, &[(&tea, 1), (&mug, 1)]).await.unwrap();
            assert_eq!(store.commits() - commits, 1, "{engine:?}");
            least = least.min(store.statements() - statements);
        }
        // BEGIN, reservation, levels, movements, task, audit, COMMIT; and the runner looks for work.
        assert!(least <= 8, "{least} statements on {engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_units_two_hundred_buyers_at_once_get_exactly_ten() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 10).await;
        let now = shop.harness.clock.now_micros();
        let mut buyers = tokio::task::JoinSet::new();
        for buyer in 0..200 {
            let mut stock = shop.stock();
            let request = reserve_request(&format!("ord_{buyer}"), &[(&tea, 1)], now);
            buyers.spawn(async move { stock.reserve(request).await });
        }

        let answers = buyers.join_all().await;

        let (held, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(held.len(), 10, "{engine:?}");
        for refused in refused {
            assert_eq!(verdict(refused), (Code::FailedPrecondition, "OUT_OF_STOCK".into()));
        }
        let level = level(&shop, &tea).await;
        assert_eq!((level.on_hand, level.reserved), (10, 10));
        shop.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_for_the_same_variants_in_any_order_never_wait_in_a_circle() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 500).await;
        let mug = shop.stocked("mug", 500).await;
        let now = shop.harness.clock.now_micros();
        let mut buyers = tokio::task::JoinSet::new();
        for buyer in 0..100 {
            let mut stock = shop.stock();
            let lines =
                if buyer % 2 == 0 { [(&*tea, 1), (&*mug, 2)] } else { [(&*mug, 2), (&*tea, 1)] };
            let order_id = format!("ord_{buyer}");
            let request = reserve_request(&order_id, &lines, now);
            buyers.spawn(async move {
                stock.reserve(request).await?;
                match buyer % 3 {
                    0 => stock.commit_reservation(CommitReservationRequest { order_id }).await,
                    _ => stock.release_reservation(ReleaseReservationRequest { order_id }).await,
                }
            });
        }

        for answer in buyers.join_all().await {
            answer.unwrap();
        }

        let level = level(&shop, &tea).await;
        assert_eq!((level.on_hand, level.reserved), (466, 0));
        shop.verify().await;
    }
}
