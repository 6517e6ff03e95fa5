//! Many calls at once: each with its own answer, and never more than there is.

use harness::Engine;
use tokio::task::JoinSet;
use tradewind::ledger::v1::transfer_result::Code::{self, *};
use tradewind::ledger::v1::{CreateTransfersRequest, TransferResult};

use crate::{
    account, balance, ledger, make, make_by, open, pending, posted, problems, start, wallet,
};

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_never_overspend() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("cash"), wallet("w"), account("sales")]).await;
        make(&harness, vec![posted("fund", "cash", "w", 100)]).await;
        let commits = harness.store("ledger").commits();

        let mut calls = JoinSet::new();
        for call in 0..64 {
            let mut client = ledger(&harness);
            let transfer = if call % 2 == 0 {
                posted(&format!("t{call}"), "w", "sales", 10)
            } else {
                pending(&format!("t{call}"), "w", "sales", 10, 0)
            };
            calls.spawn(async move { make_by(&mut client, vec![transfer]).await });
        }
        let codes: Vec<Code> = calls.join_all().await.concat();

        let count = |code| codes.iter().filter(|it| **it == code).count();
        assert_eq!((count(Unspecified), count(ExceedsCredits)), (10, 54), "{engine:?}");
        let [pending, posted, ..] = balance(&harness, "w").await;
        assert_eq!(pending + posted, 100, "{engine:?}");
        assert!(
            harness.store("ledger").commits() - commits < 64,
            "{engine:?}: calls share commits"
        );
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transfer_asked_for_by_many_calls_happens_once() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;

        let mut calls = JoinSet::new();
        for _ in 0..32 {
            let mut client = ledger(&harness);
            calls.spawn(async move { make_by(&mut client, vec![posted("t", "a", "b", 7)]).await });
        }
        let codes: Vec<Code> = calls.join_all().await.concat();

        let made = codes.iter().filter(|code| **code == Unspecified).count();
        let exists = codes.iter().filter(|code| **code == Exists).count();
        assert_eq!((made, exists), (1, 31), "{engine:?}");
        assert_eq!(balance(&harness, "a").await, [0, 7, 0, 0], "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_leaves_the_others_as_they_are() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;

        let (mut kept, mut left) = (JoinSet::new(), JoinSet::new());
        for call in 0..32 {
            let mut client = ledger(&harness);
            let (set, id) = if call % 2 == 0 {
                (&mut kept, format!("kept{call}"))
            } else {
                (&mut left, format!("left{call}"))
            };
            set.spawn(async move {
                let transfers = vec![posted(&id, "a", "b", 1)];
                client.create_transfers(CreateTransfersRequest { transfers }).await
            });
            tokio::task::yield_now().await;
        }
        left.abort_all();

        for answer in kept.join_all().await {
            assert_eq!(answer.unwrap().into_inner().results, [TransferResult::default()]);
        }
        // What was given up happened or did not; asked for again, it has.
        let repeats: Vec<_> =
            (1..32).step_by(2).map(|call| posted(&format!("left{call}"), "a", "b", 1)).collect();
        make(&harness, repeats).await;
        assert_eq!(balance(&harness, "a").await, [0, 32, 0, 0], "{engine:?}");
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}
