//! The behaviour of `TigerBeetle`, as tables of transfers and what is said of each.

use mesh::clock::micros;
use tradewind::ledger::v1::Transfer;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code::{self, *};

use super::{Book, State};
use crate::account::{Account, Balance, LARGEST, Side};

const SECOND: i64 = 1_000_000;

/// `a` and `b` in euros, `wallet` that may not owe, `cap` that may not hold more than it owes, `usd`.
fn book() -> Book {
    let mut book = Book::new(0, 0);
    for (id, currency, wallet, cap) in [
        ("a", "EUR", false, false),
        ("b", "EUR", false, false),
        ("wallet", "EUR", true, false),
        ("cap", "EUR", false, true),
        ("usd", "USD", false, false),
    ] {
        let account = Account {
            currency_code: currency.into(),
            debits_must_not_exceed_credits: wallet,
            credits_must_not_exceed_debits: cap,
            balance: Balance::default(),
        };
        book.add_account(id.into(), account);
    }
    book
}

fn posted(id: &str, debit: &str, credit: &str, amount: i64) -> Transfer {
    Transfer {
        id: id.into(),
        kind: Kind::Posted.into(),
        debit_account_id: debit.into(),
        credit_account_id: credit.into(),
        amount,
        currency_code: "EUR".into(),
        ..Transfer::default()
    }
}

fn pending(id: &str, debit: &str, credit: &str, amount: i64) -> Transfer {
    Transfer { kind: Kind::Pending.into(), ..posted(id, debit, credit, amount) }
}

fn post(id: &str, pending_id: &str, amount: i64) -> Transfer {
    Transfer {
        kind: Kind::PostPending.into(),
        pending_id: pending_id.into(),
        currency_code: String::new(),
        ..posted(id, "", "", amount)
    }
}

fn void(id: &str, pending_id: &str, amount: i64) -> Transfer {
    Transfer { kind: Kind::VoidPending.into(), ..post(id, pending_id, amount) }
}

fn linked(transfer: Transfer) -> Transfer {
    Transfer { linked: true, ..transfer }
}

/// Applies one batch, and holds what is said of each.
#[track_caller]
fn says<const N: usize>(book: &mut Book, table: [(Transfer, Code); N]) {
    let (batch, expected): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    let ids: Vec<_> = batch.iter().map(|transfer| transfer.id.clone()).collect();
    assert_eq!(book.apply(&batch), expected, "{ids:?}");
}

/// Debits pending and posted, credits pending and posted.
fn balance(book: &Book, id: &str) -> [i64; 4] {
    let Balance { debits, credits } = book.accounts[id].balance;
    [debits.pending, debits.posted, credits.pending, credits.posted]
}

fn time(book: &Book, id: &str) -> i64 {
    book.transfers[id].time.as_ref().map(micros).unwrap()
}

#[test]
fn a_transfer_debits_one_account_and_credits_another() {
    let mut book = book();

    says(
        &mut book,
        [
            (posted("t1", "a", "b", 100), Unspecified),
            (Transfer { kind: 0, ..posted("t2", "b", "a", 30) }, Unspecified),
        ],
    );

    assert_eq!(balance(&book, "a"), [0, 100, 0, 30]);
    assert_eq!(balance(&book, "b"), [0, 30, 0, 100]);
    assert_eq!(book.transfers["t2"].kind(), Kind::Posted);
    assert!(time(&book, "t1") < time(&book, "t2"));
}

#[test]
fn what_is_wrong_is_said_by_the_lowest_number() {
    let usd = |transfer| Transfer { currency_code: "USD".into(), ..transfer };
    let timeout = |transfer| Transfer { timeout_seconds: 1, ..transfer };
    let names = |transfer| Transfer { pending_id: "p".into(), ..transfer };
    says(
        &mut book(),
        [
            (timeout(posted("t1", "x", "x", 0)), AccountsMustBeDifferent),
            (timeout(posted("t2", "x", "y", 0)), AmountMustNotBeZero),
            (timeout(posted("t3", "x", "y", 1)), TimeoutReservedForPendingTransfer),
            (posted("t4", "x", "y", 1), DebitAccountNotFound),
            (posted("t5", "a", "y", 1), CreditAccountNotFound),
            (posted("t6", "a", "usd", 1), MustHaveTheSameCurrency),
            (usd(posted("t7", "a", "b", 1)), MustHaveTheSameCurrency),
            (posted("t8", "wallet", "cap", LARGEST + 1), Overflows),
            (posted("t9", "wallet", "cap", 1), ExceedsCredits),
            (names(posted("t10", "a", "cap", 1)), ExceedsDebits),
            (names(posted("t11", "a", "b", 1)), PendingIdMustBeEmpty),
            (posted("t11", "a", "b", 1), Unspecified),
        ],
    );
}

#[test]
fn a_posting_or_voiding_says_what_is_wrong_by_the_lowest_number() {
    let mut book = book();
    says(&mut book, [(pending("p", "a", "b", 100), Unspecified)]);
    says(&mut book, [(posted("done", "a", "b", 1), Unspecified)]);
    let of = |accounts: [&str; 2], transfer| Transfer {
        debit_account_id: accounts[0].into(),
        credit_account_id: accounts[1].into(),
        ..transfer
    };
    let timeout = |transfer| Transfer { timeout_seconds: 1, ..transfer };
    let usd = |transfer| Transfer { currency_code: "USD".into(), ..transfer };

    says(
        &mut book,
        [
            (timeout(of(["a", "a"], post("r1", "p", 101))), PendingTransferHasDifferentFields),
            (usd(post("r2", "p", 100)), PendingTransferHasDifferentFields),
            (timeout(of(["a", "a"], post("r3", "", 0))), AccountsMustBeDifferent),
            (timeout(post("r4", "", 0)), TimeoutReservedForPendingTransfer),
            (post("r5", "", 0), PendingIdMustNotBeEmpty),
            (post("r6", "x", 0), PendingTransferNotFound),
            (post("r7", "done", 9), PendingTransferNotPending),
            (post("r8", "p", 101), ExceedsPendingTransferAmount),
            (void("r9", "p", 99), PendingTransferHasDifferentAmount),
            (of(["a", "b"], post("r10", "p", 100)), Unspecified),
            (void("r11", "p", 99), PendingTransferHasDifferentAmount),
            (void("r12", "p", 100), PendingTransferAlreadyPosted),
        ],
    );
}

#[test]
fn a_pending_transfer_is_posted_whole_or_in_part_or_voided_once() {
    let mut book = book();
    let holds = [
        (pending("p1", "a", "b", 100), Unspecified),
        (pending("p2", "a", "b", 50), Unspecified),
        (pending("p3", "a", "b", 7), Unspecified),
    ];
    says(&mut book, holds);
    assert_eq!(balance(&book, "a"), [157, 0, 0, 0]);
    assert_eq!(balance(&book, "b"), [0, 0, 157, 0]);

    says(
        &mut book,
        [
            (post("r1", "p1", 0), Unspecified),
            (post("r2", "p2", 20), Unspecified),
            (void("r3", "p3", 0), Unspecified),
            (post("r4", "p1", 0), PendingTransferAlreadyPosted),
            (void("r5", "p2", 0), PendingTransferAlreadyPosted),
            (post("r6", "p3", 0), PendingTransferAlreadyVoided),
        ],
    );

    assert_eq!(balance(&book, "a"), [0, 120, 0, 0]);
    assert_eq!(balance(&book, "b"), [0, 0, 0, 120]);
    let r2 = &book.transfers["r2"];
    assert_eq!(
        (r2.debit_account_id.as_str(), r2.amount, r2.currency_code.as_str()),
        ("a", 20, "EUR")
    );
    assert_eq!(book.transfers["r3"].amount, 7);
}

#[test]
fn what_is_held_is_given_back_when_its_time_is_over() {
    let mut book = book();
    let timed = |id, seconds| Transfer { timeout_seconds: seconds, ..pending(id, "a", "b", 10) };
    let holds = [
        (timed("p1", 10), Unspecified),
        (timed("p2", 20), Unspecified),
        (timed("p3", 0), Unspecified),
    ];
    says(&mut book, holds);

    book.now = 10 * SECOND - 1;
    book.expire();
    assert_eq!(balance(&book, "a"), [30, 0, 0, 0]);

    book.now = 10 * SECOND;
    says(&mut book, [(post("r1", "p1", 0), PendingTransferExpired)]);
    assert_eq!(balance(&book, "a"), [30, 0, 0, 0]);
    book.expire();
    says(&mut book, [(void("r2", "p1", 0), PendingTransferExpired)]);
    assert_eq!(balance(&book, "a"), [20, 0, 0, 0]);
    assert_eq!(balance(&book, "b"), [0, 0, 20, 0]);

    says(&mut book, [(post("r3", "p2", 0), Unspecified)]);
    book.now = i64::MAX;
    book.expire();
    assert_eq!(balance(&book, "a"), [10, 10, 0, 0]);
    assert_eq!(book.holds["p2"].state, State::Posted);
    assert_eq!(book.holds["p3"].state, State::Pending);
}

#[test]
fn limits_count_what_is_pending() {
    let mut book = book();
    says(
        &mut book,
        [
            (pending("f1", "a", "wallet", 100), Unspecified),
            (posted("t1", "wallet", "b", 1), ExceedsCredits),
            (post("f2", "f1", 0), Unspecified),
            (pending("p1", "wallet", "b", 60), Unspecified),
            (pending("p2", "wallet", "b", 41), ExceedsCredits),
            (posted("t2", "wallet", "b", 40), Unspecified),
            (posted("t3", "wallet", "b", 1), ExceedsCredits),
            (post("r1", "p1", 50), Unspecified),
            (posted("t4", "wallet", "b", 11), ExceedsCredits),
            (posted("t5", "wallet", "b", 10), Unspecified),
        ],
    );
    assert_eq!(balance(&book, "wallet"), [0, 100, 0, 100]);

    says(
        &mut book,
        [
            (posted("c1", "cap", "a", 10), Unspecified),
            (pending("c2", "b", "cap", 10), Unspecified),
            (posted("c3", "b", "cap", 1), ExceedsDebits),
            (void("c4", "c2", 0), Unspecified),
            (posted("c5", "b", "cap", 10), Unspecified),
        ],
    );
    assert_eq!(balance(&book, "cap"), [0, 10, 0, 10]);
}

#[test]
fn a_repeat_says_so_before_anything_else_is_judged() {
    let mut book = book();
    let timed = Transfer { timeout_seconds: 5, ..pending("p", "a", "b", 100) };
    says(&mut book, [(timed.clone(), Unspecified), (posted("t", "a", "b", 1), Unspecified)]);
    says(&mut book, [(post("r", "p", 60), Unspecified)]);
    let before = book.clone();

    says(&mut book, [(timed.clone(), Exists), (post("r", "p", 60), Exists)]);
    says(&mut book, [(Transfer { kind: 0, ..posted("t", "a", "b", 1) }, Exists)]);
    let named = Transfer {
        debit_account_id: "a".into(),
        credit_account_id: "b".into(),
        currency_code: "EUR".into(),
        ..post("r", "p", 60)
    };
    says(&mut book, [(named, Exists), (post("r", "p", 0), ExistsWithDifferentFields)]);
    for other in [
        posted("p", "a", "b", 100),
        Transfer { timeout_seconds: 6, ..timed.clone() },
        Transfer { amount: 0, ..timed.clone() },
        Transfer { debit_account_id: "nobody".into(), ..timed.clone() },
        Transfer { credit_account_id: "a".into(), ..timed.clone() },
        Transfer { currency_code: "USD".into(), ..timed.clone() },
        Transfer { pending_id: "t".into(), ..timed.clone() },
        Transfer { code: 1, ..timed.clone() },
        Transfer { reference: "ord_1".into(), ..timed.clone() },
        void("r", "p", 60),
        post("r", "t", 60),
        Transfer { debit_account_id: "b".into(), ..post("r", "p", 60) },
    ] {
        says(&mut book, [(other, ExistsWithDifferentFields)]);
    }
    assert_eq!(book.accounts, before.accounts);
    assert_eq!(book.transfers, before.transfers);
}

#[test]
fn a_posting_of_all_is_repeated_by_0_and_by_the_amount() {
    let mut book = book();
    says(&mut book, [(pending("p", "a", "b", 100), Unspecified)]);
    says(&mut book, [(post("r", "p", 0), Unspecified)]);

    says(&mut book, [(post("r", "p", 0), Exists), (post("r", "p", 100), Exists)]);
    says(&mut book, [(post("r", "p", 99), ExistsWithDifferentFields)]);
}

#[test]
fn an_id_that_was_refused_for_what_may_change_never_happens() {
    let mut book = book();
    says(
        &mut book,
        [
            (posted("t1", "wallet", "b", 1), ExceedsCredits),
            (posted("t2", "b", "cap", 1), ExceedsDebits),
            (posted("t3", "x", "b", 1), DebitAccountNotFound),
            (posted("t4", "b", "x", 1), CreditAccountNotFound),
            (post("t5", "x", 1), PendingTransferNotFound),
            (posted("t6", "a", "b", 0), AmountMustNotBeZero),
            (posted("fund", "a", "wallet", 9), Unspecified),
        ],
    );

    says(
        &mut book,
        [
            (posted("t1", "wallet", "b", 1), IdAlreadyFailed),
            (posted("t2", "a", "a", 0), IdAlreadyFailed),
            (posted("t3", "a", "b", 1), IdAlreadyFailed),
            (posted("t4", "a", "b", 1), IdAlreadyFailed),
            (posted("t5", "a", "b", 1), IdAlreadyFailed),
            (posted("t6", "a", "b", 1), Unspecified),
        ],
    );
    let changes = book.changes();
    let mut refused: Vec<_> = changes.refused.iter().map(|(id, _)| *id).collect();
    refused.sort_unstable();
    assert_eq!(refused, ["t1", "t2", "t3", "t4", "t5"]);
}

#[test]
fn a_chain_happens_whole_or_not_at_all() {
    let mut book = book();
    says(
        &mut book,
        [
            (linked(posted("t1", "a", "wallet", 10)), LinkedEventFailed),
            (linked(pending("t2", "wallet", "b", 11)), ExceedsCredits),
            (posted("t3", "a", "b", 1), LinkedEventFailed),
            (posted("t4", "a", "b", 5), Unspecified),
        ],
    );
    assert_eq!(balance(&book, "a"), [0, 5, 0, 0]);
    assert_eq!(balance(&book, "wallet"), [0; 4]);
    assert!(book.holds.is_empty());

    says(
        &mut book,
        [
            (linked(posted("t1", "a", "wallet", 10)), Unspecified),
            (linked(pending("t5", "wallet", "b", 10)), Unspecified),
            (post("t6", "t5", 0), Unspecified),
        ],
    );
    assert_eq!(balance(&book, "wallet"), [0, 10, 0, 10]);
    let times: Vec<_> = ["t4", "t1", "t5", "t6"].map(|id| time(&book, id)).into();
    assert!(times.is_sorted_by(|one, next| one < next));
}

#[test]
fn the_id_that_broke_a_chain_is_spent_and_the_others_are_not() {
    let mut book = book();
    let chain = [linked(posted("t1", "a", "wallet", 1)), posted("t2", "wallet", "b", 2)];
    assert_eq!(book.apply(&chain), [LinkedEventFailed, ExceedsCredits]);

    assert_eq!(book.apply(&chain), [LinkedEventFailed, IdAlreadyFailed]);
    says(&mut book, [(posted("t1", "a", "b", 1), Unspecified)]);
}

#[test]
fn a_chain_that_is_open_at_the_end_of_the_batch_is_refused() {
    let mut book = book();
    says(&mut book, [(linked(posted("t1", "a", "b", 1)), LinkedEventChainOpen)]);
    says(
        &mut book,
        [
            (posted("t2", "a", "b", 1), Unspecified),
            (linked(posted("t3", "a", "b", 1)), LinkedEventFailed),
            (linked(posted("t4", "a", "b", 1)), LinkedEventChainOpen),
        ],
    );
    says(
        &mut book,
        [
            (linked(posted("t5", "a", "b", 0)), AmountMustNotBeZero),
            (linked(posted("t6", "a", "b", 1)), LinkedEventFailed),
            (linked(posted("t7", "a", "b", 1)), LinkedEventChainOpen),
        ],
    );
    assert_eq!(balance(&book, "a"), [0, 1, 0, 0]);
}

#[test]
fn a_chain_that_happened_is_repeated_whole_or_refused() {
    let mut book = book();
    let chain = [linked(posted("t1", "a", "b", 1)), posted("t2", "a", "b", 2)];
    assert_eq!(book.apply(&chain), [Unspecified, Unspecified]);

    assert_eq!(book.apply(&chain), [Exists, Exists]);
    let grown = [chain[0].clone(), linked(chain[1].clone()), posted("t3", "a", "b", 3)];
    assert_eq!(book.apply(&grown), [Exists, LinkedEventFailed, LinkedEventFailed]);
    let other = [linked(posted("t4", "a", "b", 1)), posted("t2", "a", "b", 2)];
    assert_eq!(book.apply(&other), [LinkedEventFailed, Exists]);
    assert_eq!(balance(&book, "a"), [0, 3, 0, 0]);
}

#[test]
fn a_balance_that_would_not_fit_is_refused() {
    let mut book = book();
    let full = Side { pending: 0, posted: LARGEST - 1 };
    if let Some(account) = book.accounts.get_mut("a") {
        account.balance = Balance { debits: full, credits: full };
    }

    says(
        &mut book,
        [
            (posted("t1", "a", "b", 2), Overflows),
            (posted("t2", "b", "a", i64::MAX), Overflows),
            (pending("p1", "a", "b", 1), Unspecified),
            (pending("p2", "a", "b", 1), Overflows),
            (void("r1", "p1", 0), Unspecified),
            (posted("t3", "a", "b", 1), Unspecified),
            (posted("t4", "a", "b", 1), Overflows),
        ],
    );
    assert_eq!(balance(&book, "a")[1], LARGEST);
}

#[test]
fn each_row_is_written_once() {
    let mut book = book();
    says(
        &mut book,
        [
            (pending("p1", "a", "b", 5), Unspecified),
            (post("r1", "p1", 0), Unspecified),
            (pending("p2", "a", "b", 5), Unspecified),
        ],
    );

    let changes = book.changes();

    let ids: Vec<_> = changes.transfers.iter().map(|transfer| transfer.id.as_str()).collect();
    assert_eq!(ids, ["p1", "r1", "p2"]);
    let holds: Vec<_> = changes.holds.iter().map(|(id, hold)| (*id, hold.state)).collect();
    assert_eq!(holds, [("p1", State::Posted), ("p2", State::Pending)]);
    let accounts: Vec<_> = changes.balances.iter().map(|(id, _)| *id).collect();
    assert_eq!(accounts, ["a", "b"]);
}
