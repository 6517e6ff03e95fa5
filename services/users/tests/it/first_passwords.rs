//! Passwords that are good once, and passwords that are changed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::{Engine, Harness};
use mesh::{Code, Status};
use tradewind::users::v1::{ChangePasswordRequest, Tokens};
use users::{Bootstrap, Config, FirstPassword};

use crate::desk::{
    ADMIN, PASSWORD, config, log_in, me, of, part, refresh, refusal, refused, register, start,
};

const NEW: &str = "a password of my own";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What was said to the operator, one start after another.
type Said = Arc<Mutex<Vec<String>>>;

fn one_time(said: &Said) -> Config {
    let said = Arc::clone(said);
    let tell = move |password: &str| said.lock().unwrap().push(password.to_owned());
    let bootstrap = Bootstrap {
        email: ADMIN.into(),
        password: FirstPassword::OneTime(Arc::new(tell)),
        project: "default".into(),
    };
    Config { bootstrap: Some(bootstrap), ..config() }
}

async fn change(h: &Harness, email: &str, from: &str, to: &str) -> Result<Tokens, Status> {
    let request = ChangePasswordRequest {
        email: email.into(),
        current_password: from.into(),
        new_password: to.into(),
    };
    Ok(of(h, &h.nobody()).change_password(request).await?.into_inner())
}

async fn start_one_time(engine: Engine, said: &Said) -> Harness {
    let h = Harness::start(engine, vec![part(one_time(said))]).await;
    crate::desk::trust(&h.mesh, h.as_service("test", None));
    // A first call begins what is to be there; it is refused like any other.
    log_in(&h, "nobody@example.com", PASSWORD).await.unwrap_err();
    h
}

#[tokio::test]
async fn a_one_time_password_begins_no_session_and_is_good_for_one_change() {
    for engine in Engine::ALL {
        let said = Said::default();
        let h = start_one_time(engine, &said).await;
        let first = said.lock().unwrap()[0].clone();

        let login = log_in(&h, ADMIN, &first).await;
        let changed = change(&h, ADMIN, &first, NEW).await.unwrap();

        assert_eq!(
            refusal(login),
            refused(Code::FailedPrecondition, "PASSWORD_MUST_CHANGE"),
            "{engine:?}"
        );
        let roles = me(&h.mesh, &changed.access_token).await.unwrap().roles;
        assert_eq!(roles, ["admin", "merchant", "superadmin"], "{engine:?}");
        let spent = refused(Code::Unauthenticated, "INVALID_CREDENTIALS");
        assert_eq!(refusal(change(&h, ADMIN, &first, "something else").await), spent);
        log_in(&h, ADMIN, NEW).await.unwrap();
    }
}

#[tokio::test]
async fn each_start_says_another_one_time_password_until_one_was_used() {
    for engine in Engine::ALL {
        let said = Said::default();
        let h = start_one_time(engine, &said).await;
        let clock = h.clock.clone();
        let h = Harness::start_on(h.stop().await, vec![part(one_time(&said))], clock).await;
        log_in(&h, "nobody@example.com", PASSWORD).await.unwrap_err();
        let [first, second] = said.lock().unwrap().clone().try_into().unwrap();

        let replaced = change(&h, ADMIN, &first, NEW).await;
        change(&h, ADMIN, &second, NEW).await.unwrap();
        let clock = h.clock.clone();
        let h = Harness::start_on(h.stop().await, vec![part(one_time(&said))], clock).await;
        log_in(&h, ADMIN, NEW).await.unwrap();

        let spent = refused(Code::Unauthenticated, "INVALID_CREDENTIALS");
        assert_eq!(refusal(replaced), spent, "{engine:?}");
        assert_eq!(said.lock().unwrap().len(), 2, "{engine:?}");
    }
}

#[tokio::test]
async fn a_one_time_password_ends_after_seven_days() {
    let said = Said::default();
    let h = start_one_time(Engine::Sqlite, &said).await;
    let first = said.lock().unwrap()[0].clone();

    h.clock.advance(7 * DAY);

    let late = refused(Code::FailedPrecondition, "PASSWORD_EXPIRED");
    assert_eq!(refusal(change(&h, ADMIN, &first, NEW).await), late);
}

#[tokio::test]
async fn a_changed_password_ends_every_session_but_the_one_that_it_begins() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let before = register(&h, "ada@example.com").await;

        let after = change(&h, "Ada@example.com", PASSWORD, NEW).await.unwrap();

        let ended = refused(Code::Unauthenticated, "INVALID_TOKEN");
        assert_eq!(refusal(me(&h.mesh, &before.access_token).await), ended, "{engine:?}");
        let ended = refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN");
        assert_eq!(refusal(refresh(&h, &before.refresh_token).await), ended, "{engine:?}");
        assert_eq!(me(&h.mesh, &after.access_token).await.unwrap().id, before.subject);
        refresh(&h, &after.refresh_token).await.unwrap();
        let old = refused(Code::Unauthenticated, "INVALID_CREDENTIALS");
        assert_eq!(refusal(log_in(&h, "ada@example.com", PASSWORD).await), old, "{engine:?}");
        log_in(&h, "ada@example.com", NEW).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_password_changes_nothing_and_counts_as_a_failed_login() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let ada = register(&h, "ada@example.com").await;

        for email in ["ada@example.com", "nobody@example.com"] {
            for _ in 0..5 {
                let wrong = change(&h, email, "not the password", NEW).await;
                let alike = refused(Code::Unauthenticated, "INVALID_CREDENTIALS");
                assert_eq!(refusal(wrong), alike, "{engine:?} {email}");
            }
            let waits = refused(Code::ResourceExhausted, "TOO_MANY_FAILURES");
            assert_eq!(
                refusal(change(&h, email, PASSWORD, NEW).await),
                waits,
                "{engine:?} {email}"
            );
        }

        me(&h.mesh, &ada.access_token).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_password_is_another_one() {
    let h = start(Engine::Sqlite).await;
    register(&h, "ada@example.com").await;

    let same = change(&h, "ada@example.com", PASSWORD, PASSWORD).await;

    assert_eq!(refusal(same), refused(Code::InvalidArgument, "PASSWORD_UNCHANGED"));
    log_in(&h, "ada@example.com", PASSWORD).await.unwrap();
}
