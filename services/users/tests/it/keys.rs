//! Signing keys: published, rotated, forgotten.

use std::time::Duration;

use harness::{Engine, Harness};
use mesh::Code;
use tradewind::users::v1::GetKeysRequest;
use users::{Config, Lifetimes};

use crate::desk::{
    MINUTE, PASSWORD, config, log_in, me, of, refusal, refused, register, start_with,
};

/// The header of a token, which names its key.
fn header(token: &str) -> &str {
    token.split('.').next().unwrap()
}

/// The JSON Web Key Set as it goes out.
async fn key_set(h: &Harness) -> String {
    let body = of(h, &h.nobody()).get_keys(GetKeysRequest {}).await.unwrap().into_inner();
    assert_eq!(body.content_type, "application/jwk-set+json");
    String::from_utf8(body.data).unwrap()
}

fn keys_in(set: &str) -> usize {
    set.matches("\"kid\"").count()
}

fn rotated_every(signing_key: Duration) -> Config {
    Config { lifetimes: Lifetimes { signing_key, ..Lifetimes::default() }, ..config() }
}

#[tokio::test]
async fn the_public_keys_are_a_json_web_key_set_without_the_private_ones() {
    for engine in Engine::ALL {
        let h = start_with(engine, config()).await;

        let set = key_set(&h).await;

        assert_eq!(keys_in(&set), 1, "{set}");
        for part in
            ["\"kty\":\"OKP\"", "\"crv\":\"Ed25519\"", "\"alg\":\"EdDSA\"", "\"use\":\"sig\""]
        {
            assert!(set.contains(part), "{set}");
        }
        assert!(!set.contains("\"d\""), "{set}");
    }
}

#[tokio::test]
async fn a_token_of_a_rotated_key_is_good_until_it_expires() {
    for engine in Engine::ALL {
        let h = start_with(engine, rotated_every(10 * MINUTE)).await;
        register(&h, "ada@example.com").await;
        h.clock.advance(8 * MINUTE);
        let before = log_in(&h, "ada@example.com", PASSWORD).await.unwrap().access_token;

        h.clock.advance(3 * MINUTE);
        let after = log_in(&h, "ada@example.com", PASSWORD).await.unwrap().access_token;

        assert_ne!(header(&before), header(&after), "{engine:?}");
        h.mesh.trust().refresh().await.unwrap();
        me(&h.mesh, &before).await.unwrap();
        me(&h.mesh, &after).await.unwrap();
        h.clock.advance(2 * MINUTE);
        assert_eq!(
            refusal(me(&h.mesh, &before).await),
            refused(Code::Unauthenticated, "INVALID_TOKEN"),
            "{engine:?}"
        );
        me(&h.mesh, &after).await.unwrap();
    }
}

#[tokio::test]
async fn a_rotated_key_is_published_until_its_last_token_has_expired() {
    for engine in Engine::ALL {
        let h = start_with(engine, rotated_every(100 * MINUTE)).await;
        register(&h, "ada@example.com").await;

        h.clock.advance(101 * MINUTE);
        log_in(&h, "ada@example.com", PASSWORD).await.unwrap();
        assert_eq!(keys_in(&key_set(&h).await), 2, "{engine:?}");
        // Guests' tokens are good for an hour, and clocks may differ by five minutes.
        h.clock.advance(65 * MINUTE);

        assert_eq!(keys_in(&key_set(&h).await), 1, "{engine:?}");
    }
}
