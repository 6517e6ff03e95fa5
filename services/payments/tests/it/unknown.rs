//! Outcomes that nobody knows yet, and answers that cannot all be true.

use std::sync::Arc;
use std::time::Duration;

use harness::Engine;
use mesh::Code;
use payments::provider::Outcome as Answer;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::payment_intent::State;

use crate::bank::{Stop, success};
use crate::book::Held;
use crate::shop::{PRICE, Shop, reason};

#[tokio::test]
async fn a_lost_answer_is_asked_for_until_it_is_told() {
    for engine in Engine::ALL {
        for (token, state, heard, decline_code) in [
            ("sim_unknown", State::Succeeded, "SUCCEEDED", ""),
            (
                "sim_unknown_declined",
                State::RequiresPaymentMethod,
                "REQUIRES_PAYMENT_METHOD",
                "card_declined",
            ),
        ] {
            let shop = Shop::open(engine).await;

            let intent = shop.pay(1, token).await.unwrap();
            shop.after(Duration::from_secs(5)).await;
            assert_eq!(shop.intent(&intent.id).await.state(), State::Processing, "{token}");
            assert_eq!(shop.heard().len(), 0);
            shop.after(Duration::from_secs(5)).await;

            let told = shop.intent(&intent.id).await;
            assert_eq!((told.state(), told.decline_code.as_str()), (state, decline_code));
            assert_eq!(shop.heard(), [heard]);
            shop.agrees(&intent.id, "simulator").await;
        }
    }
}

#[tokio::test]
async fn what_is_not_known_freezes_the_payment() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        shop.bank.say_when_taking([Answer::Unknown]);
        shop.bank.say_when_asked([Answer::Unknown, Answer::Unknown, Answer::Unknown]);
        let intent = shop.pay(1, "bank_a").await.unwrap();
        assert_eq!(intent.state(), State::Processing);

        let refused = [
            shop.pay(2, "sim_ok").await.unwrap_err(),
            shop.cancel().await.unwrap_err(),
            shop.refund("ref_1", 100).await.unwrap_err(),
        ];

        for status in refused {
            assert_eq!(status.code(), Code::Aborted);
            assert_eq!(reason(&status), "PAYMENT_UNRESOLVED");
        }
        assert_eq!(shop.attempts(&intent.id).await[0].resolutions, 3);
        assert_eq!(shop.book.held(&intent.attempt_id), Held::Pending);
        shop.after(Duration::from_secs(5)).await;
        assert_eq!(shop.intent(&intent.id).await.state(), State::Succeeded);
        shop.agrees(&intent.id, "bank").await;
    }
}

#[tokio::test]
async fn whoever_needs_the_outcome_asks_for_it_on_the_way() {
    let lost = || async {
        let shop = Shop::open(Engine::Sqlite).await;
        shop.bank.say_when_taking([Answer::Unknown]);
        let intent = shop.pay(1, "bank_a").await.unwrap();
        assert_eq!(intent.state(), State::Processing);
        (shop, intent.id)
    };

    let (shop, _) = lost().await;
    assert_eq!(shop.pay(1, "bank_a").await.unwrap().state(), State::Succeeded);

    let (shop, _) = lost().await;
    let other = shop.pay(2, "bank_b").await.unwrap();
    assert_eq!((other.state(), other.attempts), (State::Succeeded, 1));

    let (shop, id) = lost().await;
    let refund = shop.refund("ref_1", 100).await.unwrap();
    assert_eq!(refund.amount.unwrap().minor, 100);
    shop.after(Duration::from_secs(5)).await;
    shop.agrees(&id, "bank").await;

    let (shop, id) = lost().await;
    assert_eq!(shop.cancel().await.unwrap().refunded_minor, PRICE);
    shop.after(Duration::from_secs(5)).await;
    shop.agrees(&id, "bank").await;
}

#[tokio::test]
async fn an_answer_about_another_amount_leaves_the_payment_to_a_person() {
    for answer in [success(PRICE - 1, "EUR"), success(PRICE, "USD")] {
        let shop = Shop::open(Engine::Sqlite).await;
        shop.bank.say_when_taking([answer]);

        let intent = shop.pay(1, "bank_a").await.unwrap();
        shop.after(Duration::from_secs(7200)).await;

        assert_eq!((intent.state(), intent.captured_minor), (State::Review, 0));
        assert_eq!(shop.anomalies().await, 1);
        assert_eq!(shop.heard(), ["REVIEW"]);
        assert_eq!(reason(&shop.pay(2, "sim_ok").await.unwrap_err()), "PAYMENT_IN_REVIEW");
        assert_eq!(reason(&shop.cancel().await.unwrap_err()), "PAYMENT_IN_REVIEW");
        assert_eq!(shop.book.held(&intent.attempt_id), Held::Pending);
    }
}

#[tokio::test]
async fn a_late_answer_that_contradicts_rewrites_nothing() {
    for engine in Engine::ALL {
        let shop = Arc::new(Shop::open(engine).await);
        shop.bank.stop_at(Stop::After);
        let paying = Arc::clone(&shop);
        let first = tokio::spawn(async move { paying.pay(1, "bank_a").await });
        shop.bank.stopped.notified().await;
        shop.bank.say_when_asked([Answer::Declined { code: "no".into() }]);

        let repeat = shop.pay(1, "bank_a").await.unwrap();
        assert_eq!(repeat.state(), State::RequiresPaymentMethod);
        shop.bank.stop_at(Stop::Nowhere);
        let late = first.await.unwrap().unwrap();

        assert_eq!(late.state(), State::Review);
        assert_eq!(shop.outcomes(&late.id).await, [Outcome::Declined]);
        assert_eq!(shop.anomalies().await, 1);
        shop.harness.settle().await;
        assert_eq!(shop.heard(), ["REQUIRES_PAYMENT_METHOD", "REVIEW"]);
    }
}

#[tokio::test]
async fn a_provider_that_never_says_is_left_to_a_person() {
    let shop = Shop::open(Engine::Sqlite).await;
    shop.bank.say_when_taking([Answer::Unknown]);
    shop.bank.say_when_asked(vec![Answer::Unknown; 100]);
    let intent = shop.pay(1, "bank_a").await.unwrap();

    for _ in 0..61 {
        shop.after(Duration::from_secs(3600)).await;
    }

    assert_eq!(shop.intent(&intent.id).await.state(), State::Review);
    assert_eq!(shop.attempts(&intent.id).await[0].resolutions, 60);
    assert_eq!(shop.anomalies().await, 1);
}
