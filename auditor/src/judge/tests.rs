//! Each rule on facts made by hand: what is well raises nothing, and each flaw is named.

use mesh::Clock;
use mesh::clock::timestamp;
use tradewind::catalog::v1::reservation::State as Held;
use tradewind::catalog::v1::{AuditedReservation, AuditedReservationLine};
use tradewind::ledger::v1::ReferenceSum;
use tradewind::money::v1::Money;
use tradewind::notifications::v1::MailCount;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{AuditedOrder, AuditedOrderLine, payment};
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::provider_entry::Theirs;
use tradewind::payments::v1::{AuditedPayment, PaymentAttempt, PaymentIntent, payment_intent};

use super::*;

const LONG_AGO: i64 = 1_000_000;
const NOW: i64 = 1_000_000_000_000;

/// An order of 25.00 that was paid, whose stock has left, of which all agree.
fn paid() -> Facts {
    let time = Some(timestamp(LONG_AGO));
    let total = || Some(Money::new(2500, "EUR"));
    Facts {
        id: "ord_1".into(),
        order: Some(AuditedOrder {
            id: "ord_1".into(),
            state: State::Confirmed.into(),
            payment_state: payment::State::Paid.into(),
            total: total(),
            refunded: Some(Money::zero("EUR")),
            lines: vec![AuditedOrderLine { variant_id: "var_1".into(), quantity: 2 }],
            has_email: true,
            confirmations: 1,
            update_time: time,
            ..AuditedOrder::default()
        }),
        payment: Some(AuditedPayment {
            intent: Some(PaymentIntent {
                id: "pay_1".into(),
                order_id: "ord_1".into(),
                amount: total(),
                state: payment_intent::State::Succeeded.into(),
                captured_minor: 2500,
                settled: true,
                update_time: time,
                ..PaymentIntent::default()
            }),
            attempts: vec![attempt("pat_1", Outcome::Success)],
            refunds: Vec::new(),
        }),
        sums: vec![ReferenceSum {
            reference: "ord_1".into(),
            currency_code: "EUR".into(),
            code: 1,
            posted: 2500,
            time,
            ..ReferenceSum::default()
        }],
        reservation: Some(AuditedReservation {
            order_id: "ord_1".into(),
            state: Held::Committed.into(),
            lines: vec![AuditedReservationLine {
                variant_id: "var_1".into(),
                quantity: 2,
                taken: 2,
                counted: true,
                ..AuditedReservationLine::default()
            }],
            update_time: time,
        }),
        mails: vec![MailCount {
            reference: "ord_1".into(),
            template: "order_confirmed".into(),
            count: 1,
            create_time: time,
        }],
    }
}

fn attempt(id: &str, outcome: Outcome) -> PaymentAttempt {
    PaymentAttempt {
        id: id.into(),
        outcome: outcome.into(),
        amount: Some(Money::new(2500, "EUR")),
        settled: true,
        update_time: Some(timestamp(LONG_AGO)),
        ..PaymentAttempt::default()
    }
}

fn judged(facts: &Facts, todo: &Todo) -> Vec<Finding> {
    let options = Options { clock: Clock::at(NOW), ..Options::default() };
    Rules::new(&options, todo).judge(facts)
}

fn checks(facts: &Facts) -> Vec<Check> {
    judged(facts, &Todo::default()).into_iter().map(|finding| finding.check).collect()
}

fn task(kind: &str, id: &str) -> Waiting {
    let at = Some(timestamp(NOW));
    let subject_ids = vec![id.to_owned()];
    Waiting { kind: kind.into(), subject_ids, due_time: at, create_time: at, ..Waiting::default() }
}

#[test]
fn an_order_on_which_all_agree_raises_nothing() {
    assert_eq!(judged(&paid(), &Todo::default()), []);
}

#[test]
fn every_flaw_of_a_paid_order_is_named() {
    type Flaw = (fn(&mut Facts), &'static [Check]);
    let flaws: [Flaw; 12] = [
        (|it| it.order.as_mut().unwrap().refunded = Some(Money::new(1, "EUR")), &[Check::Amounts]),
        (|it| it.order.as_mut().unwrap().total = Some(Money::new(2400, "EUR")), &[Check::Amounts]),
        (|it| it.sums.clear(), &[Check::Ledger]),
        (|it| it.sums[0].pending = 1, &[Check::Ledger]),
        (|it| it.sums[0].currency_code = "CHF".into(), &[Check::Ledger]),
        (
            |it| it.payment.as_mut().unwrap().attempts.push(attempt("pat_2", Outcome::Success)),
            &[Check::Amounts, Check::Ledger, Check::PaidOnce],
        ),
        (
            |it| it.payment.as_mut().unwrap().attempts.push(attempt("pat_2", Outcome::Unknown)),
            &[Check::UnderWay],
        ),
        (|it| it.reservation = None, &[Check::Stock]),
        (|it| it.reservation.as_mut().unwrap().lines[0].taken = 1, &[Check::Stock]),
        (|it| it.order.as_mut().unwrap().lines[0].quantity = 3, &[Check::Stock]),
        (|it| it.mails[0].count = 2, &[Check::Told]),
        (|it| it.order.as_mut().unwrap().confirmations = 2, &[Check::Told]),
    ];

    for (position, (flaw, expected)) in flaws.into_iter().enumerate() {
        let mut facts = paid();
        flaw(&mut facts);
        assert_eq!(checks(&facts), expected, "flaw {position}");
    }
}

#[test]
fn what_is_left_of_an_order_that_nobody_knows_is_named() {
    let facts = Facts { order: None, ..paid() };

    assert_eq!(checks(&facts), [Check::Amounts, Check::Stock, Check::Told]);
}

#[test]
fn what_changed_just_now_or_has_a_task_is_settling() {
    let differs = Facts { sums: Vec::new(), ..paid() };
    let mut recent = differs.clone();
    recent.order.as_mut().unwrap().update_time = Some(timestamp(NOW - 1));
    let mut todo = Todo::default();

    assert!(judged(&recent, &todo)[0].settling);
    assert!(!judged(&differs, &todo)[0].settling);
    todo.add("orders", task("expire_order", "ord_1"));
    assert!(!judged(&differs, &todo)[0].settling, "a timer settles nothing");
    todo.add("payments", task("settle_attempt", "pat_1"));
    assert!(judged(&differs, &todo)[0].settling);
}

#[test]
fn an_order_on_its_way_for_too_long_is_stuck_even_with_its_task() {
    let mut facts = Facts { id: "ord_1".into(), ..Facts::default() };
    facts.order = Some(AuditedOrder {
        id: "ord_1".into(),
        state: State::Cancelling.into(),
        update_time: Some(timestamp(LONG_AGO)),
        ..AuditedOrder::default()
    });
    let mut todo = Todo::default();
    todo.add("orders", task("cancelling", "ord_1"));

    let found = judged(&facts, &todo);

    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].check, found[0].settling), (Check::Stuck, false));
}

#[test]
fn tasks_that_are_dead_late_or_failing_are_stuck_and_timers_are_not() {
    let options = Options { clock: Clock::at(NOW), ..Options::default() };
    let mut todo = Todo::default();
    todo.add("orders", task("checkout", "ord_1"));
    todo.add("orders", Waiting { dead: true, ..task("checkout", "ord_2") });
    todo.add("orders", Waiting { due_time: Some(timestamp(1)), ..task("checkout", "ord_3") });
    let failing =
        Waiting { attempts: 3, create_time: Some(timestamp(1)), ..task("repay", "ref_1") };
    todo.add("payments", failing);
    let event = Waiting { consumer: "notifications".into(), ..task("OrderConfirmed", "ord_4") };
    todo.add("orders", Waiting { create_time: Some(timestamp(1)), ..event });

    let found = Rules::new(&options, &todo).judge_todo();

    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().all(|finding| finding.check == Check::Stuck && !finding.settling));
}

#[test]
fn a_provider_that_says_otherwise_is_named() {
    let entry = |outcome: Outcome, theirs, minor| {
        let mut entry = ProviderEntry {
            id: "pat_1".into(),
            provider: "simulator".into(),
            order_id: "ord_1".into(),
            amount: Some(Money::new(2500, "EUR")),
            their_amount: Some(Money::new(minor, "EUR")),
            ..ProviderEntry::default()
        };
        entry.set_outcome(outcome);
        entry.set_theirs(theirs);
        entry
    };
    let options = Options { clock: Clock::at(NOW), ..Options::default() };
    let todo = Todo::default();
    let judge = |entry: &ProviderEntry| Rules::new(&options, &todo).judge_provider(entry).is_some();

    assert!(!judge(&entry(Outcome::Success, Theirs::Done, 2500)));
    assert!(!judge(&entry(Outcome::Declined, Theirs::Declined, 2500)));
    assert!(judge(&entry(Outcome::Success, Theirs::Done, 2400)));
    assert!(judge(&entry(Outcome::Success, Theirs::Unspecified, 0)));
    assert!(judge(&entry(Outcome::Declined, Theirs::Done, 2500)));
    let unknown = |theirs| ProviderEntry {
        order_id: String::new(),
        ..entry(Outcome::Unspecified, theirs, 1)
    };
    assert!(judge(&unknown(Theirs::Done)));
    assert!(!judge(&unknown(Theirs::Declined)));
}
