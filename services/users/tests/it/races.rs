//! What comes at once counts once.

use futures_util::future::join_all;
use harness::Engine;
use mesh::Code;

use crate::desk::{of, refresh, refusal, refused, register, registration, start};

#[tokio::test]
async fn of_registrations_with_one_address_at_once_one_makes_the_account() {
    for engine in Engine::ALL {
        let h = start(engine).await;

        let registrations = (0..12).map(|_| {
            let mut users = of(&h, &h.nobody());
            async move { users.register(registration("ada@example.com")).await }
        });
        let results = join_all(registrations).await;

        let (made, refusals): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1, "{engine:?}");
        for result in refusals {
            assert_eq!(refusal(result), refused(Code::AlreadyExists, "EMAIL_TAKEN"), "{engine:?}");
        }
    }
}

#[tokio::test]
async fn of_refreshes_with_one_token_at_once_one_succeeds() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let tokens = register(&h, "ada@example.com").await;

        let results = join_all((0..12).map(|_| refresh(&h, &tokens.refresh_token))).await;

        let (good, refusals): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(good.len(), 1, "{engine:?}");
        for result in refusals {
            let refusal = refusal(result);
            let expected = refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN");
            assert_eq!(refusal, expected, "{engine:?}");
        }
    }
}
