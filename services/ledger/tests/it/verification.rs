//! `VerifyBook` finds what does not add up.

use harness::{Engine, Harness};
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::{Account, Totals, Transfer, VerifyBookRequest};

use crate::{account, ledger, make, open, pending, posted, problems, resolve, start};

async fn written(engine: Engine) -> Harness {
    let harness = start(engine).await;
    let usd = |id: &str| Account { currency_code: "USD".into(), ..account(id) };
    open(&harness, vec![account("a"), account("b"), usd("u"), usd("v")]).await;
    let dollars = |transfer| Transfer { currency_code: "USD".into(), ..transfer };
    let batch = vec![
        posted("t1", "a", "b", 5),
        pending("p1", "a", "b", 10, 0),
        pending("p2", "b", "a", 20, 0),
        resolve("r2", Kind::PostPending, "p2", 15),
        dollars(posted("t2", "u", "v", 3)),
    ];
    make(&harness, batch).await;
    harness
}

/// Does to the tables what the service never does.
async fn tamper(harness: &Harness, sql: &'static str) {
    let context = harness.as_service("ledger", None);
    let mut tx = harness.store("ledger").begin_for(&context).await.unwrap();
    tx.query(sql).execute().await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_book_that_adds_up_says_its_totals() {
    for engine in Engine::ALL {
        let harness = written(engine).await;

        let request = VerifyBookRequest {};
        let report = ledger(&harness).verify_book(request).await.unwrap().into_inner();

        assert_eq!(report.problems, [""; 0], "{engine:?}");
        let totals = |currency: &str, pending, posted| Totals {
            currency_code: currency.into(),
            debits_pending: pending,
            debits_posted: posted,
            credits_pending: pending,
            credits_posted: posted,
        };
        assert_eq!(report.totals, [totals("EUR", 10, 20), totals("USD", 0, 3)], "{engine:?}");
    }
}

#[tokio::test]
async fn a_changed_balance_is_found() {
    for engine in Engine::ALL {
        let harness = written(engine).await;

        tamper(
            &harness,
            "UPDATE accounts SET debits_posted = debits_posted + 1 WHERE project = $1 AND id = 'a'",
        )
        .await;

        assert_eq!(
            problems(&harness).await,
            [
                "EUR: debits posted are 21, credits posted are 20",
                "account a: debits posted are 6, its transfers say 5",
            ],
            "{engine:?}"
        );
    }
}

#[tokio::test]
async fn a_changed_transfer_is_found() {
    for engine in Engine::ALL {
        let harness = written(engine).await;

        tamper(&harness, "UPDATE transfers SET amount = 50 WHERE project = $1 AND id = 't1'").await;

        let found = problems(&harness).await;
        assert_eq!(
            found,
            [
                "account a: debits posted are 5, its transfers say 50",
                "account b: credits posted are 5, its transfers say 50",
            ],
            "{engine:?}"
        );
    }
}

#[tokio::test]
async fn what_does_not_belong_together_is_found() {
    for engine in Engine::ALL {
        let harness = written(engine).await;

        tamper(
            &harness,
            "UPDATE transfers SET currency_code = 'EUR' WHERE project = $1 AND id = 't2'",
        )
        .await;
        tamper(&harness, "UPDATE holds SET state = 'VOIDED' WHERE project = $1 AND id = 'p2'")
            .await;
        tamper(
            &harness,
            "UPDATE transfers SET debit_account_id = 'x' WHERE project = $1 AND id = 'r2'",
        )
        .await;

        assert_eq!(
            problems(&harness).await,
            [
                "account b: debits posted are 15, its transfers say 0",
                "transfer r2: it has no such accounts of its currency",
                "transfer t2: it has no such accounts of its currency",
                "transfer p2: what it holds has not ended as the book says",
            ],
            "{engine:?}"
        );
    }
}
