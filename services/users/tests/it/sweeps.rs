//! What has expired is removed.

use std::time::Duration;

use harness::{Engine, Harness};
use users::Config;

use crate::desk::{MINUTE, config, log_in, refresh, register, start_with};

async fn rows(h: &Harness, table: &str) -> i64 {
    let context = h.as_service("users", None);
    let reader = h.store(users::NAME).read(&context);
    let sql = format!("SELECT COUNT(*) AS rows FROM {table}");
    reader.unscoped(sql).fetch_one().await.unwrap().get("rows").unwrap()
}

async fn wait_for_rows(h: &Harness, table: &str, expected: i64) {
    let limit = tokio::time::Instant::now() + Duration::from_secs(20);
    while rows(h, table).await != expected {
        assert!(tokio::time::Instant::now() < limit, "{table} has {}", rows(h, table).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_has_expired_is_removed_and_what_has_not_stays() {
    for engine in Engine::ALL {
        let often = Config { sweep_every: Duration::from_millis(10), ..config() };
        let h = start_with(engine, often).await;
        let day = 24 * 60 * MINUTE;
        register(&h, "ada@example.com").await;
        log_in(&h, "ada@example.com", "not the password").await.unwrap_err();
        h.clock.advance(20 * day);
        let bob = register(&h, "bob@example.com").await;
        refresh(&h, &bob.refresh_token).await.unwrap();
        wait_for_rows(&h, "login_failures", 0).await;
        assert_eq!((rows(&h, "sessions").await, rows(&h, "refresh_tokens").await), (2, 3));

        h.clock.advance(10 * day + 60 * MINUTE);

        wait_for_rows(&h, "sessions", 1).await;
        wait_for_rows(&h, "refresh_tokens", 2).await;
        wait_for_rows(&h, "signing_keys", 2).await;
        assert_eq!(rows(&h, "users").await, 3, "{engine:?}");
        h.clock.advance(6 * MINUTE);
        wait_for_rows(&h, "signing_keys", 1).await;
    }
}
