//! Passwords: what a login costs, and what is kept.

use harness::{Engine, Harness};
use mesh::{Code, Context};
use tonic_types::StatusExt;
use users::{Config, Hashing};

use crate::desk::{
    PASSWORD, config, log_in, login, of, part, refusal, refused, register, start, start_with,
};

const WRONG: &str = "not the password";

async fn kept(h: &Harness, email: &str) -> String {
    let context: Context = h.as_service("users", None);
    let reader = h.store(users::NAME).read(&context);
    let sql = "SELECT password_hash FROM credentials JOIN users ON users.id = user_id \
               WHERE users.project = $1 AND email = $2";
    reader.query(sql).bind(email).fetch_one().await.unwrap().get("password_hash").unwrap()
}

/// The statements and commits of a login that fails: the least of some, since the mesh asks
/// for keys in between.
async fn least_cost(h: &Harness, email: &str) -> (u64, u64) {
    let store = h.store(users::NAME);
    let mut least = (u64::MAX, u64::MAX);
    for _ in 0..3 {
        let before = (store.statements(), store.commits());
        log_in(h, email, WRONG).await.unwrap_err();
        least.0 = least.0.min(store.statements() - before.0);
        least.1 = least.1.min(store.commits() - before.1);
    }
    least
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_fail_alike_by_the_same_steps() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        register(&h, "ada@example.com").await;

        let unknown = least_cost(&h, "nobody@example.com").await;
        let wrong = least_cost(&h, "ada@example.com").await;
        assert_eq!(unknown, wrong, "{engine:?}");

        let unknown = log_in(&h, "nobody@example.com", WRONG).await.unwrap_err();
        let wrong = log_in(&h, "ada@example.com", WRONG).await.unwrap_err();
        assert_eq!(unknown.message(), wrong.message());
        for status in [unknown, wrong] {
            assert_eq!(
                refusal::<()>(Err(status)),
                refused(Code::Unauthenticated, "INVALID_CREDENTIALS")
            );
        }
    }
}

#[tokio::test]
async fn a_login_renews_the_hash_when_the_parameters_have_risen() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        register(&h, "ada@example.com").await;
        assert!(kept(&h, "ada@example.com").await.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        let clock = h.clock.clone();
        let hashing = Hashing { memory_kib: 16, passes: 2, ..config().hashing };

        let database = h.stop().await;
        let dearer = vec![part(Config { hashing, ..config() })];
        let h = Harness::start_on(database, dearer, clock).await;
        log_in(&h, "ada@example.com", PASSWORD).await.unwrap();

        let renewed = kept(&h, "ada@example.com").await;
        assert!(renewed.starts_with("$argon2id$v=19$m=16,t=2,p=1$"), "{engine:?}: {renewed}");
        log_in(&h, "ada@example.com", PASSWORD).await.unwrap();
        assert_eq!(kept(&h, "ada@example.com").await, renewed);
    }
}

#[tokio::test]
async fn a_storm_of_logins_is_refused_with_a_time_to_come_again() {
    let hashing = Hashing { memory_kib: 1024, passes: 8, threads: 1, queue: 1, ..config().hashing };
    let h = start_with(Engine::Sqlite, Config { bootstrap: None, hashing, ..config() }).await;

    let storm = (0..16).map(|number| {
        let mut users = of(&h, &h.nobody());
        async move { users.log_in(login(&format!("user{number}@example.com"), PASSWORD)).await }
    });
    let storm = futures_util::future::join_all(storm).await;

    let mut refused_at_once = 0;
    for status in storm.into_iter().map(Result::unwrap_err) {
        match status.code() {
            Code::ResourceExhausted => {
                refused_at_once += 1;
                assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
                assert_eq!(status.get_details_error_info().unwrap().reason, "LOGINS_BUSY");
            }
            code => assert_eq!(code, Code::Unauthenticated),
        }
    }
    assert!((1..=14).contains(&refused_at_once), "{refused_at_once}");
}
