//! Batches of transfers: results, repeats, projects, and what is refused.

use harness::Engine;
use mesh::Code as Status;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code::*;
use tradewind::ledger::v1::{CreateAccountsRequest, CreateTransfersRequest, Transfer};

use crate::{
    account, balance, elsewhere, ledger, ledger_of, make, make_by, open, pending, posted, problems,
    resolve, start, wallet,
};

const HUGE: i64 = 1_000_000_000_000_000;

#[tokio::test]
async fn a_payment_is_held_posted_and_shown() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("cash"), wallet("w"), account("sales")]).await;

        let held = vec![posted("fund", "cash", "w", 100), pending("p", "w", "sales", 70, 0)];
        assert_eq!(make(&harness, held).await, [Unspecified, Unspecified], "{engine:?}");
        assert_eq!(balance(&harness, "w").await, [70, 0, 0, 100]);
        let more = vec![posted("more", "w", "sales", 31)];
        assert_eq!(make(&harness, more.clone()).await, [ExceedsCredits]);

        let ends = vec![resolve("r", Kind::PostPending, "p", 60)];
        assert_eq!(make(&harness, ends).await, [Unspecified]);
        assert_eq!(balance(&harness, "w").await, [0, 60, 0, 100]);
        assert_eq!(balance(&harness, "sales").await, [0, 0, 0, 60]);
        assert_eq!(make(&harness, more).await, [IdAlreadyFailed]);
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}

#[tokio::test]
async fn a_repeat_after_a_lost_answer_changes_nothing() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;
        let linked = |transfer| Transfer { linked: true, ..transfer };
        let batch = vec![
            linked(posted("t1", "a", "b", 5)),
            pending("p1", "a", "b", 10, 0),
            resolve("r1", Kind::PostPending, "p1", 0),
            posted("t2", "a", "a", 1),
        ];
        let first = make(&harness, batch.clone()).await;
        let before = (balance(&harness, "a").await, harness.store("ledger").commits());

        let again = make(&harness, batch).await;

        assert_eq!(first, [Unspecified, Unspecified, Unspecified, AccountsMustBeDifferent]);
        assert_eq!(again, [Exists, Exists, Exists, AccountsMustBeDifferent], "{engine:?}");
        assert_eq!((balance(&harness, "a").await, harness.store("ledger").commits()), before);
    }
}

#[tokio::test]
async fn the_largest_batch_takes_few_statements_and_one_commit() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        let accounts: Vec<_> = (0..300).map(|number| account(&format!("a{number}"))).collect();
        open(&harness, accounts).await;
        let transfer = |number: usize| {
            let (debit, credit) =
                (format!("a{}", number % 300), format!("a{}", (number + 1) % 300));
            pending(&format!("t{number}"), &debit, &credit, 1, 0)
        };
        let store = harness.store("ledger");
        let (commits, statements) = (store.commits(), store.statements());

        let results = make(&harness, (0..8189).map(transfer).collect()).await;

        assert!(results.iter().all(|code| *code == Unspecified), "{engine:?}");
        assert_eq!(store.commits() - commits, 1);
        let statements = store.statements() - statements;
        assert!(statements < 400, "{engine:?}: {statements} statements");
        let ends =
            |number| resolve(&format!("r{number}"), Kind::VoidPending, &format!("t{number}"), 0);
        let ended = make(&harness, (0..8189).map(ends).collect()).await;
        assert!(ended.iter().all(|code| *code == Unspecified), "{engine:?}");
        assert_eq!(balance(&harness, "a0").await, [0; 4]);
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}

#[tokio::test]
async fn one_transfer_takes_few_statements() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;
        let store = harness.store("ledger");

        let mut fewest = u64::MAX;
        for number in 0..5 {
            let before = store.statements();
            make(&harness, vec![posted(&format!("t{number}"), "a", "b", 1)]).await;
            // A sweep may come between.
            fewest = fewest.min(store.statements() - before);
        }

        // To begin, the lock, four to load, two to write, to commit.
        assert_eq!(fewest, 9, "{engine:?}");
    }
}

#[tokio::test]
async fn a_balance_that_would_not_fit_is_refused() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;
        let batch = (0..1001).map(|number| posted(&format!("t{number}"), "a", "b", HUGE));

        let codes = make(&harness, batch.collect()).await;

        assert!(codes[..1000].iter().all(|code| *code == Unspecified), "{engine:?}");
        assert_eq!(codes[1000], Overflows, "{engine:?}");
        assert_eq!(make(&harness, vec![posted("one", "a", "b", 1)]).await, [Overflows]);
        assert_eq!(balance(&harness, "a").await, [0, 1000 * HUGE, 0, 0]);
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}

#[tokio::test]
async fn projects_have_books_of_their_own() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;
        let mut other = ledger_of(&harness, &elsewhere("other"));
        assert_eq!(make(&harness, vec![posted("t", "a", "b", 5)]).await, [Unspecified]);

        let missing = make_by(&mut other, vec![posted("t", "a", "b", 5)]).await;
        assert_eq!(missing, [DebitAccountNotFound], "{engine:?}");
        let accounts = vec![account("a"), account("b")];
        other.create_accounts(CreateAccountsRequest { accounts }).await.unwrap();
        let made = make_by(&mut other, vec![posted("t2", "a", "b", 7)]).await;

        assert_eq!(made, [Unspecified], "{engine:?}");
        assert_eq!(balance(&harness, "a").await, [0, 5, 0, 0]);
    }
}

#[tokio::test]
async fn what_the_contract_refuses_never_reaches_the_book() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;
        for (transfer, reason) in [
            (posted("t", "a", "b", -1), "INVALID_ARGUMENT"),
            (posted("t", "a", "b", HUGE + 1), "INVALID_ARGUMENT"),
            (posted("", "a", "b", 1), "INVALID_ARGUMENT"),
            (Transfer { kind: 9, ..posted("t", "a", "b", 1) }, "INVALID_ARGUMENT"),
            (posted("t\0", "a", "b", 1), "NUL_CHARACTER"),
        ] {
            let request = CreateTransfersRequest { transfers: vec![transfer] };
            let status = ledger(&harness).create_transfers(request).await.unwrap_err();
            assert_eq!(status.code(), Status::InvalidArgument, "{engine:?}: {reason}: {status:?}");
        }
        let many = (0..8190).map(|number| posted(&format!("t{number}"), "a", "b", 1)).collect();
        let status = ledger(&harness)
            .create_transfers(CreateTransfersRequest { transfers: many })
            .await
            .unwrap_err();
        assert_eq!(status.code(), Status::InvalidArgument);
        assert_eq!(balance(&harness, "a").await, [0; 4], "{engine:?}");
    }
}
