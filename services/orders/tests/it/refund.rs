//! Giving back some or all of what was paid.

use futures_util::future::join_all;
use harness::Engine;
use mesh::Code;
use tradewind::money::v1::Money;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{RefundOrderRequest, payment};
use tradewind::payments::v1::refund;

use crate::breaks::Break;
use crate::world::{PAST_LEASE, TOTAL, World, keyed, minor, refusal, stands};

#[tokio::test]
async fn an_order_is_refunded_in_part_and_then_the_rest() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;

        let part = world.refund(&order.id, "r", Some(1_000)).await.unwrap();
        let same = world.refund(&order.id, "r", Some(1_000)).await.unwrap();
        let rest = world.refund(&order.id, "s", None).await.unwrap();
        world.settle().await;

        assert_eq!(stands(&part), (State::Confirmed, payment::State::Paid));
        assert_eq!(minor(part.refunded.as_ref()), 1_000);
        assert_eq!(same, part);
        assert_eq!(stands(&rest), (State::Refunded, payment::State::Refunded));
        assert_eq!(minor(rest.refunded.as_ref()), TOTAL);
        assert_eq!(world.till.refunds(), 2);
        assert_eq!(world.till.kept(&order.id), 0);
        assert_eq!(world.listener.counts(&order.id)["OrderRefunded"], 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_at_once_never_exceed_the_total() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;

        let keys: Vec<_> = (0..5).map(|number| format!("r{number}")).collect();
        let refunds = keys.iter().map(|key| world.refund(&order.id, key, Some(1_000)));
        let answers = join_all(refunds).await;

        let given = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(given, 2);
        for answer in answers.into_iter().filter(Result::is_err) {
            assert_eq!(refusal(answer), (Code::InvalidArgument, "REFUND_OUT_OF_RANGE".into()));
        }
        assert_eq!(minor(world.get(&order.id).await.refunded.as_ref()), 2_000);
        assert_eq!(world.till.kept(&order.id), TOTAL - 2_000);
    }
}

#[tokio::test]
async fn a_refund_that_the_provider_refuses_is_not_counted() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;
        world.till.end_refunds_as(refund::State::Failed);

        let refused = world.refund(&order.id, "r", Some(1_000)).await;
        let after = world.get(&order.id).await;
        world.till.end_refunds_as(refund::State::Succeeded);
        let again = world.refund(&order.id, "r", Some(1_000)).await;
        let given = world.refund(&order.id, "new", Some(1_000)).await.unwrap();
        world.settle().await;

        for refused in [refused, again] {
            assert_eq!(refusal(refused), (Code::FailedPrecondition, "REFUND_REFUSED".into()));
        }
        assert_eq!(minor(after.refunded.as_ref()), 0);
        assert_eq!(minor(given.refunded.as_ref()), 1_000);
        assert_eq!(world.listener.counts(&order.id)["OrderRefunded"], 1);
    }
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_given_once() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;
        world.till.breaks.set("RefundPayment", Break::After);

        let lost = world.refund(&order.id, "r", Some(1_000)).await;
        world.after(PAST_LEASE).await;
        let again = world.refund(&order.id, "r", Some(1_000)).await.unwrap();

        assert_eq!(lost.unwrap_err().code(), Code::Unavailable);
        assert_eq!(minor(again.refunded.as_ref()), 1_000);
        assert_eq!(world.till.kept(&order.id), TOTAL - 1_000);
        assert_eq!(world.till.refunds(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_refunded_is_refused() {
    let world = World::open(Engine::Sqlite).await;
    let unpaid = world.placed("sim_declined").await;
    let too_early = world.refund(&unpaid.id, "r", Some(1)).await;
    let order = world.pay(&unpaid.id, "p", "sim_ok").await.unwrap();
    let of = |amount| RefundOrderRequest { id: order.id.clone(), amount, reason: String::new() };
    let mut merchant = world.client(&world.merchant());
    let mut customer = world.client(&world.customer());

    let too_much = world.refund(&order.id, "s", Some(TOTAL + 1)).await;
    let nothing = world.refund(&order.id, "t", Some(0)).await;
    let foreign = merchant.refund_order(keyed("u", of(Some(Money::new(1, "USD"))))).await;
    let by_customer = customer.refund_order(keyed("v", of(None))).await;

    assert_eq!(refusal(too_early), (Code::FailedPrecondition, "WRONG_ORDER_STATE".into()));
    assert_eq!(refusal(too_much), (Code::InvalidArgument, "REFUND_OUT_OF_RANGE".into()));
    assert_eq!(refusal(nothing), (Code::InvalidArgument, "REFUND_OUT_OF_RANGE".into()));
    assert_eq!(refusal(foreign), (Code::InvalidArgument, "WRONG_CURRENCY".into()));
    assert_eq!(by_customer.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(world.till.refunds(), 0);
}
