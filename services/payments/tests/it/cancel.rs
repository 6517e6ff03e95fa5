//! Giving up, and the customer's step.

use harness::Engine;
use mesh::Code;
use tradewind::payments::v1::CompleteSimulatedActionRequest;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::payment_intent::State;

use crate::book::Held;
use crate::shop::{PRICE, Shop, reason};

#[tokio::test]
async fn an_order_without_a_payment_has_nothing_to_give_up() {
    let shop = Shop::open(Engine::Sqlite).await;

    let intent = shop.cancel().await.unwrap();

    assert_eq!((intent.state(), intent.id.as_str()), (State::Canceled, ""));
}

#[tokio::test]
async fn a_payment_that_was_given_up_is_not_taken_up_again() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        shop.pay(1, "sim_declined").await.unwrap();

        let intent = shop.cancel().await.unwrap();
        let again = shop.cancel().await.unwrap();
        let refused = shop.pay(2, "sim_ok").await.unwrap_err();

        assert_eq!((intent.state(), again.state()), (State::Canceled, State::Canceled));
        assert_eq!(reason(&refused), "PAYMENT_CANCELED");
        shop.harness.settle().await;
        shop.agrees(&intent.id, "simulator").await;
        assert_eq!(shop.heard(), ["REQUIRES_PAYMENT_METHOD", "CANCELED"]);
    }
}

#[tokio::test]
async fn a_payment_that_waits_for_its_customer_is_voided() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let waiting = shop.pay(1, "sim_requires_action").await.unwrap();
        assert_eq!(waiting.action_url, format!("/v1/payments/{}:completeAction", waiting.id));

        let intent = shop.cancel().await.unwrap();
        let late = shop.complete(&intent.id, true).await.unwrap_err();
        shop.harness.settle().await;

        assert_eq!((intent.state(), intent.action_url.as_str()), (State::Canceled, ""));
        assert_eq!(reason(&late), "NO_ACTION_REQUIRED");
        assert_eq!(shop.outcomes(&intent.id).await, [Outcome::Voided]);
        assert_eq!(shop.book.held(&intent.attempt_id), Held::Voided);
        shop.agrees(&intent.id, "simulator").await;
        assert_eq!(shop.heard(), ["REQUIRES_ACTION", "CANCELED"]);
    }
}

#[tokio::test]
async fn what_was_paid_is_given_back_once_however_often_it_is_cancelled() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let intent = shop.pay(1, "bank_a").await.unwrap();
        shop.refund("ref_part", 300).await.unwrap();

        let cancelled = shop.cancel().await.unwrap();
        let again = shop.cancel().await.unwrap();
        shop.harness.settle().await;

        assert_eq!(cancelled.state(), State::Succeeded);
        assert_eq!((cancelled.refunded_minor, again.refunded_minor), (PRICE, PRICE));
        shop.agrees(&intent.id, "bank").await;
        assert_eq!(shop.book.held("ref_1"), Held::Posted);
    }
}

#[tokio::test]
async fn the_customers_step_decides() {
    for engine in Engine::ALL {
        for (approve, state, decline_code) in [
            (true, State::Succeeded, ""),
            (false, State::RequiresPaymentMethod, "authentication_failed"),
        ] {
            let shop = Shop::open(engine).await;
            let waiting = shop.pay(1, "sim_requires_action").await.unwrap();
            assert_eq!(shop.book.held(&waiting.attempt_id), Held::Pending);

            let intent = shop.complete(&waiting.id, approve).await.unwrap();
            let again = shop.complete(&waiting.id, approve).await.unwrap();
            shop.harness.settle().await;

            assert_eq!((intent.state(), again.state()), (state, state));
            assert_eq!(intent.decline_code, decline_code);
            let told = state.as_str_name().replace("STATE_", "");
            assert_eq!(shop.heard(), ["REQUIRES_ACTION".to_owned(), told]);
            shop.agrees(&intent.id, "simulator").await;
        }
    }
}

#[tokio::test]
async fn another_customer_cannot_take_the_step() {
    let shop = Shop::open(Engine::Sqlite).await;
    let intent = shop.pay(1, "sim_requires_action").await.unwrap();
    let request = CompleteSimulatedActionRequest { id: intent.id.clone(), approve: true };

    let mut other = shop.client(&shop.harness.as_customer("usr_2"));
    let refused = other.complete_simulated_action(request).await.unwrap_err();

    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(shop.intent(&intent.id).await.state(), State::RequiresAction);
}

#[tokio::test]
async fn a_customer_who_waits_may_pay_otherwise() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let waiting = shop.pay(1, "sim_requires_action").await.unwrap();

        let intent = shop.pay(2, "sim_ok").await.unwrap();
        shop.harness.settle().await;

        assert_eq!((&intent.id, intent.state()), (&waiting.id, State::Succeeded));
        assert_eq!(shop.outcomes(&intent.id).await, [Outcome::Voided, Outcome::Success]);
        shop.agrees(&intent.id, "simulator").await;
        assert_eq!(shop.heard(), ["REQUIRES_ACTION", "SUCCEEDED"]);
    }
}
