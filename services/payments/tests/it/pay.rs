//! Paying: every token, repeats, races, and what is refused.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::Engine;
use mesh::Code;
use tracing_subscriber::fmt::MakeWriter;
use tradewind::money::v1::Money;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::{
    GetPaymentRequest, ListAttemptsRequest, PaymentAttempt, PaymentIntent, Refund,
};

use crate::bank::Stop;
use crate::book::{Held, Weather};
use crate::shop::{PRICE, Shop, reason, request};

/// Token, intent, attempt, decline code, what becomes of the amount that the ledger holds.
const TOKENS: &[(&str, State, Outcome, &str, Held)] = &[
    ("sim_ok", State::Succeeded, Outcome::Success, "", Held::Posted),
    ("sim_slow", State::Succeeded, Outcome::Success, "", Held::Posted),
    (
        "sim_declined",
        State::RequiresPaymentMethod,
        Outcome::Declined,
        "card_declined",
        Held::Voided,
    ),
    (
        "sim_insufficient_funds",
        State::RequiresPaymentMethod,
        Outcome::Declined,
        "insufficient_funds",
        Held::Voided,
    ),
    (
        "sim_no_such_token",
        State::RequiresPaymentMethod,
        Outcome::Declined,
        "invalid_payment_method",
        Held::Voided,
    ),
    ("sim_requires_action", State::RequiresAction, Outcome::Pending, "", Held::Pending),
    ("sim_unknown", State::Processing, Outcome::Unknown, "", Held::Pending),
    ("sim_unknown_declined", State::Processing, Outcome::Unknown, "", Held::Pending),
];

#[tokio::test]
async fn the_tables_fit_their_resources() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let store = shop.harness.store("payments");

        store.check::<PaymentIntent>().await.unwrap();
        store.check::<PaymentAttempt>().await.unwrap();
        store.check::<Refund>().await.unwrap();
    }
}

#[tokio::test]
async fn one_commit_comes_before_the_provider_is_asked() {
    let shop = Arc::new(Shop::open(Engine::Sqlite).await);
    let before = shop.harness.store("payments").commits();
    shop.bank.stop_at(Stop::After);
    let paying = Arc::clone(&shop);
    let call = tokio::spawn(async move { paying.pay(1, "bank_a").await });
    shop.bank.stopped.notified().await;

    assert_eq!(shop.harness.store("payments").commits(), before + 1);
    shop.bank.stop_at(Stop::Nowhere);
    assert_eq!(call.await.unwrap().unwrap().state(), State::Succeeded);
}

#[tokio::test]
async fn every_token_has_its_outcome_and_the_ledger_follows() {
    for engine in Engine::ALL {
        for (token, state, outcome, decline_code, held) in TOKENS {
            let shop = Shop::open(engine).await;

            let intent = shop.pay(1, token).await.unwrap();
            shop.harness.settle().await;

            assert_eq!(intent.state(), *state, "{token}");
            assert_eq!(intent.decline_code, *decline_code, "{token}");
            assert_eq!(shop.outcomes(&intent.id).await, [*outcome], "{token}");
            assert_eq!(shop.book.held(&intent.attempt_id), *held, "{token}");
            assert!(!intent.settled, "{token}");
            let settled = shop.intent(&intent.id).await.settled;
            assert_eq!(settled, *held != Held::Pending, "{token}");
            let captured = if *state == State::Succeeded { PRICE } else { 0 };
            assert_eq!(intent.captured_minor, captured, "{token}");
        }
    }
}

#[tokio::test]
async fn a_repeat_answers_what_came_of_the_attempt_and_takes_nothing() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;

        let first = shop.pay(1, "bank_a").await.unwrap();
        let again = shop.pay(1, "bank_a").await.unwrap();
        let other = shop.pay(2, "bank_b").await.unwrap();

        assert_eq!(first.state(), State::Succeeded);
        assert_eq!((&again.id, again.state()), (&first.id, State::Succeeded));
        assert_eq!((&other.id, other.attempts), (&first.id, 1));
        shop.harness.settle().await;
        shop.agrees(&first.id, "bank").await;
        assert_eq!(shop.heard(), ["SUCCEEDED"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_equal_calls_take_the_amount_once() {
    for engine in Engine::ALL {
        let shop = Arc::new(Shop::open(engine).await);

        let calls = (0..16).map(|_| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move { shop.pay(1, "bank_a").await })
        });
        let mut ids = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            let intent = call.await.unwrap().unwrap();
            assert_eq!(intent.state(), State::Succeeded);
            ids.push(intent.id);
        }

        ids.dedup();
        assert_eq!(ids.len(), 1);
        assert_eq!(shop.outcomes(&ids[0]).await, [Outcome::Success]);
        shop.harness.settle().await;
        shop.agrees(&ids[0], "bank").await;
        assert_eq!(shop.heard(), ["SUCCEEDED"]);
    }
}

#[tokio::test]
async fn after_a_decline_another_method_is_taken() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;

        shop.pay(1, "sim_declined").await.unwrap();
        let intent = shop.pay(2, "sim_ok").await.unwrap();
        let late = shop.pay(1, "sim_declined").await.unwrap();

        assert_eq!((intent.state(), intent.attempts), (State::Succeeded, 2));
        assert_eq!(intent.decline_code, "");
        assert_eq!(late.state(), State::Succeeded);
        assert_eq!(shop.outcomes(&intent.id).await, [Outcome::Declined, Outcome::Success]);
        shop.harness.settle().await;
        shop.agrees(&intent.id, "simulator").await;
        assert_eq!(shop.heard(), ["REQUIRES_PAYMENT_METHOD", "SUCCEEDED"]);
    }
}

#[tokio::test]
async fn a_repeat_that_is_not_what_the_first_call_was_is_refused() {
    let shop = Shop::open(Engine::Sqlite).await;
    shop.pay(1, "sim_declined").await.unwrap();

    let mut dearer = request(2, "sim_ok");
    dearer.amount = Some(Money::new(PRICE + 1, "EUR"));
    let mut foreign = request(2, "sim_ok");
    foreign.customer_id = "usr_2".into();
    let mut free = request(2, "sim_ok");
    free.amount = Some(Money::new(0, "EUR"));

    for (request, expected) in [
        (dearer, "PAYMENT_DIFFERS"),
        (foreign, "PAYMENT_DIFFERS"),
        (request(1, "sim_ok"), "PAYMENT_DIFFERS"),
        (free, "INVALID_AMOUNT"),
    ] {
        let refused = shop.orders().pay(request).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, expected));
    }
}

#[tokio::test]
async fn an_unreachable_ledger_leaves_the_attempt_unmade_and_its_number_free() {
    for engine in Engine::ALL {
        for weather in [Weather::Down, Weather::Deaf] {
            let shop = Shop::open(engine).await;
            shop.book.set(weather);

            let refused = shop.pay(1, "bank_a").await.unwrap_err();
            assert_eq!((refused.code(), shop.bank.taken()), (Code::Unavailable, 0));
            assert_eq!(reason(&refused), "LEDGER_UNREACHABLE");
            shop.book.set(Weather::Fair);
            shop.harness.clock.advance(Duration::from_millis(1));
            let intent = shop.pay(1, "bank_a").await.unwrap();

            assert_eq!((intent.state(), intent.attempts), (State::Succeeded, 1));
            let outcomes = shop.outcomes(&intent.id).await;
            assert_eq!(outcomes, [Outcome::NotAttempted, Outcome::Success]);
            shop.after(Duration::from_secs(60)).await;
            shop.agrees(&intent.id, "bank").await;
        }
    }
}

#[tokio::test]
async fn an_unreachable_provider_leaves_the_attempt_unmade() {
    let shop = Shop::open(Engine::Sqlite).await;
    shop.bank.say_when_taking([payments::provider::Outcome::NotAttempted]);

    let refused = shop.pay(1, "bank_a").await.unwrap_err();
    let intent = shop.pay(1, "bank_a").await.unwrap();

    assert_eq!(reason(&refused), "PROVIDER_UNREACHABLE");
    assert_eq!(intent.state(), State::Succeeded);
    shop.harness.settle().await;
    shop.agrees(&intent.id, "bank").await;
}

#[tokio::test]
async fn a_payment_is_its_customers_alone() {
    let shop = Shop::open(Engine::Sqlite).await;
    let intent = shop.pay(1, "sim_requires_action").await.unwrap();
    let get = || GetPaymentRequest { id: intent.id.clone() };

    let mut owner = shop.client(&shop.harness.as_customer("usr_1"));
    let mut other = shop.client(&shop.harness.as_customer("usr_2"));
    let mut foreign = shop.client(&shop.harness.as_user("usr_1", &["merchant"], "elsewhere"));

    assert_eq!(owner.get_payment(get()).await.unwrap().into_inner().id, intent.id);
    assert_eq!(other.get_payment(get()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(foreign.get_payment(get()).await.unwrap_err().code(), Code::NotFound);
    let attempts = owner.list_attempts(ListAttemptsRequest { id: intent.id.clone() }).await;
    assert_eq!(attempts.unwrap_err().code(), Code::PermissionDenied);
    let paid = owner.pay(request(2, "sim_ok")).await.unwrap_err();
    assert_eq!(paid.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn another_attempt_waits_while_one_is_under_way() {
    let shop = Arc::new(Shop::open(Engine::Sqlite).await);
    shop.bank.stop_at(Stop::Before);
    let paying = Arc::clone(&shop);
    let first = tokio::spawn(async move { paying.pay(1, "bank_a").await });
    shop.bank.stopped.notified().await;
    shop.bank.say_when_asked([payments::provider::Outcome::Unknown]);

    let refused = shop.pay(2, "bank_b").await.unwrap_err();
    shop.bank.stop_at(Stop::Nowhere);

    assert_eq!(reason(&refused), "PAYMENT_UNRESOLVED");
    assert_eq!(first.await.unwrap().unwrap().state(), State::Succeeded);
    assert_eq!(shop.bank.taken(), 1);
}

/// Everything that is logged, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_card_number_is_refused_and_kept_nowhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let shop = Shop::open(Engine::Sqlite).await;

    for number in ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4241"] {
        let refused = shop.pay(1, number).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(reason(&refused), "CARD_NUMBER_REFUSED");
        assert!(!format!("{refused:?}").contains("4242"));
    }

    let rows = "SELECT COUNT(*) AS rows FROM payment_intents WHERE project = $1";
    assert_eq!(shop.count(rows).await, 0);
    let rows = "SELECT COUNT(*) AS rows FROM store_tasks WHERE project = $1";
    assert_eq!(shop.count(rows).await, 0);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("PaymentsService/Pay"), "nothing was logged at all");
    assert!(!logged.contains("4242"));
}
