//! Calls that are cut between any two steps: what was begun is finished, and nothing happens twice.

use std::sync::Arc;
use std::time::Duration;

use harness::Engine;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::payment_intent::State;

use crate::bank::Stop;
use crate::book::{Held, Weather};
use crate::shop::Shop;

/// Longer than the lease of a call that drives its own attempt.
const LEASE: Duration = Duration::from_secs(11);

/// Pays until the bank is asked, and cuts the call there.
async fn pay_and_cut(shop: &Arc<Shop>, stop: Stop) {
    shop.bank.stop_at(stop);
    let paying = Arc::clone(shop);
    let call = tokio::spawn(async move { paying.pay(1, "bank_a").await });
    shop.bank.stopped.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    shop.bank.stop_at(Stop::Nowhere);
}

#[tokio::test]
async fn a_call_that_is_cut_at_the_provider_is_finished_by_its_task() {
    for engine in Engine::ALL {
        for stop in [Stop::Before, Stop::After] {
            let shop = Arc::new(Shop::open(engine).await);

            pay_and_cut(&shop, stop).await;
            let cut = shop.only_intent().await;
            assert_eq!(cut.state(), State::Processing, "{stop:?}");
            shop.after(LEASE).await;

            assert_eq!(shop.intent(&cut.id).await.state(), State::Succeeded, "{stop:?}");
            shop.agrees(&cut.id, "bank").await;
            assert_eq!(shop.heard(), ["SUCCEEDED"]);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_cut_at_the_provider_is_finished_by_its_repeat() {
    for engine in Engine::ALL {
        for stop in [Stop::Before, Stop::After] {
            let shop = Arc::new(Shop::open(engine).await);

            pay_and_cut(&shop, stop).await;
            let intent = shop.pay(1, "bank_a").await.unwrap();
            shop.after(LEASE).await;

            assert_eq!(intent.state(), State::Succeeded, "{stop:?}");
            assert_eq!(shop.outcomes(&intent.id).await, [Outcome::Success]);
            shop.agrees(&intent.id, "bank").await;
            assert_eq!(shop.heard(), ["SUCCEEDED"]);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_cut_before_the_provider_can_be_given_up() {
    for engine in Engine::ALL {
        let shop = Arc::new(Shop::open(engine).await);

        pay_and_cut(&shop, Stop::Before).await;
        let intent = shop.cancel().await.unwrap();
        shop.after(LEASE).await;

        assert_eq!(intent.state(), State::Canceled);
        assert_eq!(shop.outcomes(&intent.id).await, [Outcome::Voided]);
        assert_eq!(shop.bank.taken(), 0);
        shop.agrees(&intent.id, "bank").await;
    }
}

#[tokio::test]
async fn a_call_that_is_cut_at_the_ledger_is_finished_by_its_task() {
    for engine in Engine::ALL {
        let shop = Arc::new(Shop::open(engine).await);
        shop.book.set(Weather::Silent);
        let mut context = shop.harness.as_service("orders", Some("usr_1"));
        context = context.until(tokio::time::Instant::now() + Duration::from_millis(500));

        let cut = shop.client(&context).pay(crate::shop::request(1, "bank_a")).await;
        assert_eq!(cut.unwrap_err().code(), mesh::Code::DeadlineExceeded);
        shop.book.set(Weather::Fair);
        shop.after(LEASE).await;

        let intent = shop.only_intent().await;
        assert_eq!(intent.state(), State::Succeeded);
        shop.agrees(&intent.id, "bank").await;
    }
}

#[tokio::test]
async fn the_ledger_is_brought_up_to_date_however_long_it_was_away() {
    for engine in Engine::ALL {
        let shop = Arc::new(Shop::open(engine).await);
        shop.bank.stop_at(Stop::After);
        let paying = Arc::clone(&shop);
        let call = tokio::spawn(async move { paying.pay(1, "bank_a").await });
        shop.bank.stopped.notified().await;
        shop.book.set(Weather::Down);
        shop.bank.stop_at(Stop::Nowhere);

        let intent = call.await.unwrap().unwrap();
        assert_eq!(intent.state(), State::Succeeded);
        for _ in 0..30 {
            shop.after(Duration::from_secs(3600)).await;
        }
        assert!(!shop.intent(&intent.id).await.settled);
        assert_eq!(shop.book.held(&intent.attempt_id), Held::Pending);
        shop.book.set(Weather::Deaf);
        shop.after(Duration::from_secs(3600)).await;
        assert!(!shop.intent(&intent.id).await.settled);
        shop.book.set(Weather::Fair);
        shop.after(Duration::from_secs(3600)).await;

        shop.agrees(&intent.id, "bank").await;
    }
}

#[tokio::test]
async fn a_customers_step_whose_call_is_repeated_decides_once() {
    let shop = Shop::open(Engine::Sqlite).await;
    let waiting = shop.pay(1, "sim_requires_action").await.unwrap();

    shop.complete(&waiting.id, true).await.unwrap();
    let refused = shop.complete(&waiting.id, false).await.unwrap_err();
    shop.harness.settle().await;

    assert_eq!(crate::shop::reason(&refused), "NO_ACTION_REQUIRED");
    shop.agrees(&waiting.id, "simulator").await;
}
