//! Failed logins make the next one wait.

use std::time::Duration;

use harness::{Engine, Harness};
use mesh::{Code, Status};
use tonic_types::StatusExt;

use crate::desk::{MINUTE, PASSWORD, from, log_in, login, of, refusal, refused, register, start};

const WRONG: &str = "not the password";

fn wait_of<T: std::fmt::Debug>(result: Result<T, Status>) -> Duration {
    let status = result.unwrap_err();
    let wait =
        status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or_default();
    let refusal = refusal::<T>(Err(status));
    assert_eq!(refusal, refused(Code::ResourceExhausted, "TOO_MANY_FAILURES"));
    wait
}

async fn fail(h: &Harness, email: &str, times: usize) {
    for _ in 0..times {
        let refusal = refusal(log_in(h, email, WRONG).await);
        assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_CREDENTIALS"));
    }
}

#[tokio::test]
async fn an_account_waits_longer_with_each_failure_after_the_fifth() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        register(&h, "ada@example.com").await;

        fail(&h, "ada@example.com", 5).await;
        let mut waits = Vec::new();
        for _ in 0..7 {
            // The right password is not tried either, or it could be guessed all the same.
            let wait = wait_of(log_in(&h, "ada@example.com", PASSWORD).await);
            waits.push(wait.as_secs());
            h.clock.advance(wait);
            fail(&h, "ada@example.com", 1).await;
        }

        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900], "{engine:?}");
        h.clock.advance(15 * MINUTE);
        log_in(&h, "ada@example.com", PASSWORD).await.unwrap();
        fail(&h, "ada@example.com", 5).await;
        wait_of(log_in(&h, "ada@example.com", PASSWORD).await);
    }
}

#[tokio::test]
async fn an_address_without_an_account_waits_as_one_with_an_account_does() {
    let h = start(Engine::Sqlite).await;

    fail(&h, "nobody@example.com", 5).await;

    assert_eq!(wait_of(log_in(&h, "nobody@example.com", WRONG).await), MINUTE / 2);
}

#[tokio::test]
async fn failures_that_are_far_apart_are_not_counted_together() {
    let h = start(Engine::Sqlite).await;
    register(&h, "ada@example.com").await;

    for _ in 0..3 {
        fail(&h, "ada@example.com", 4).await;
        h.clock.advance(15 * MINUTE);
    }

    log_in(&h, "ada@example.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_network_address_waits_after_thirty_failures_over_all_accounts() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        register(&h, "ada@example.com").await;
        let mut users = of(&h, &h.nobody());
        for number in 0..30 {
            let email = format!("user{number}@example.com");
            let failed = users.log_in(from(login(&email, WRONG), "192.0.2.1")).await;
            let refusal = refusal(failed);
            assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_CREDENTIALS"), "{number}");
        }

        let right = || login("ada@example.com", PASSWORD);
        let here = users.log_in(from(right(), "192.0.2.1")).await;
        let elsewhere = users.log_in(from(right(), "192.0.2.2")).await;

        assert_eq!(wait_of(here), MINUTE / 2, "{engine:?}");
        elsewhere.unwrap();
    }
}

#[tokio::test]
async fn many_guesses_at_once_get_no_further_than_one_after_another() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        register(&h, "ada@example.com").await;

        let guesses = (0..20).map(|_| log_in(&h, "ada@example.com", WRONG));
        let guesses = futures_util::future::join_all(guesses).await;

        let tried = guesses
            .into_iter()
            .filter(|guess| guess.as_ref().unwrap_err().code() == Code::Unauthenticated);
        assert_eq!(tried.count(), 5, "{engine:?}");
    }
}
