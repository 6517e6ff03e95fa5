//! What is held beyond its time is given back, by whoever comes first.

use std::time::Duration;

use harness::{Engine, Harness};
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code::*;

use crate::{account, balance, make, open, pending, posted, problems, resolve, start, wallet};

/// A wallet with 100, of which 80 are held for 10 seconds.
async fn holding(engine: Engine) -> Harness {
    let harness = start(engine).await;
    open(&harness, vec![account("cash"), wallet("w"), account("sales")]).await;
    let held = vec![posted("fund", "cash", "w", 100), pending("p", "w", "sales", 80, 10)];
    assert_eq!(make(&harness, held).await, [Unspecified, Unspecified], "{engine:?}");
    harness
}

#[tokio::test]
async fn a_hold_whose_time_is_over_is_given_back_before_the_next_transfer() {
    for engine in Engine::ALL {
        let harness = holding(engine).await;
        let early = make(&harness, vec![posted("t1", "w", "sales", 21)]).await;
        assert_eq!(early, [ExceedsCredits], "{engine:?}");

        harness.clock.advance(Duration::from_secs(10));
        let late = vec![
            resolve("r", Kind::PostPending, "p", 0),
            posted("t2", "w", "sales", 100),
            posted("t3", "w", "sales", 1),
        ];
        let codes = make(&harness, late).await;

        assert_eq!(codes, [PendingTransferExpired, Unspecified, ExceedsCredits], "{engine:?}");
        assert_eq!(balance(&harness, "w").await, [0, 100, 0, 100], "{engine:?}");
        assert_eq!(balance(&harness, "sales").await, [0, 0, 0, 100], "{engine:?}");
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}

#[tokio::test]
async fn a_hold_is_posted_until_its_time_is_over() {
    for engine in Engine::ALL {
        let harness = holding(engine).await;
        harness.clock.advance(Duration::from_secs(9));

        let codes = make(&harness, vec![resolve("r", Kind::PostPending, "p", 0)]).await;
        harness.clock.advance(Duration::from_secs(60));
        make(&harness, vec![posted("t", "cash", "sales", 1)]).await;

        assert_eq!(codes, [Unspecified], "{engine:?}");
        assert_eq!(balance(&harness, "w").await, [0, 80, 0, 100], "{engine:?}");
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}

#[tokio::test]
async fn a_hold_that_nobody_asks_for_is_swept() {
    for engine in Engine::ALL {
        let harness = holding(engine).await;

        harness.clock.advance(Duration::from_secs(11));

        until_swept(&harness).await;
        assert_eq!(balance(&harness, "w").await, [0, 0, 0, 100], "{engine:?}");
        assert_eq!(problems(&harness).await, [""; 0], "{engine:?}");
    }
}

async fn until_swept(harness: &Harness) {
    let swept = async {
        while balance(harness, "w").await[0] != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swept).await.unwrap();
}
