//! Which tokens are good, and until when.

use harness::Engine;
use mesh::Code;
use mesh::identity::{Claims, TokenKind};
use mesh::signing::SigningKey;
use tradewind::users::v1::{GetMeRequest, RefreshSessionRequest, RegisterRequest};
use users::{Bootstrap, Config, FirstPassword};

use crate::desk::{
    MINUTE, PASSWORD, bearing, config, in_project, me, open, refresh, refusal, refused, register,
    registration, start, start_with,
};

#[tokio::test]
async fn an_altered_token_is_refused() {
    let h = start(Engine::Sqlite).await;
    let token = register(&h, "ada@example.com").await.access_token;
    let parts: Vec<_> = token.split('.').collect();
    let flipped = |part: &str| {
        let last = if part.ends_with('A') { "B" } else { "A" };
        format!("{last}{}", &part[1..])
    };

    for altered in [
        format!("{}.{}.{}", parts[0], flipped(parts[1]), parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], flipped(parts[2])),
        format!("{}.{}.", parts[0], parts[1]),
        "not a token".into(),
    ] {
        let refusal = refusal(me(&h.mesh, &altered).await);
        assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_TOKEN"), "{altered}");
    }
    me(&h.mesh, &token).await.unwrap();
}

#[tokio::test]
async fn a_token_that_another_key_signed_is_refused() {
    let h = start(Engine::Sqlite).await;
    let tokens = register(&h, "ada@example.com").await;
    let header = tokens.access_token.split('.').next().unwrap();
    let der = SigningKey::generate().unwrap();
    let claims = Claims {
        sub: tokens.subject,
        project: "default".into(),
        kind: TokenKind::User,
        roles: vec!["superadmin".into()],
        sid: "ses_1".into(),
        jti: "tok_1".into(),
        iat: 0,
        exp: i64::MAX,
    };
    let forged = SigningKey::from_der(&der).unwrap().sign(Some("key_1"), &claims).unwrap();
    let (_, signed) = forged.split_once('.').unwrap();

    for token in [&forged, &format!("{header}.{signed}")] {
        let refusal = refusal(me(&h.mesh, token).await);
        assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_TOKEN"));
    }
}

#[tokio::test]
async fn an_access_token_is_good_for_five_minutes() {
    let h = start(Engine::Sqlite).await;
    let token = register(&h, "ada@example.com").await.access_token;

    h.clock.advance(4 * MINUTE);
    me(&h.mesh, &token).await.unwrap();
    h.clock.advance(MINUTE);

    let refusal = refusal(me(&h.mesh, &token).await);
    assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_TOKEN"));
}

#[tokio::test]
async fn a_token_reaches_nothing_of_another_project() {
    for engine in Engine::ALL {
        let other = Bootstrap {
            email: "boss@example.com".into(),
            password: FirstPassword::Given(PASSWORD.into()),
            project: "other".into(),
        };
        let h = start_with(engine, Config { bootstrap: Some(other), ..config() }).await;
        let here = register(&h, "ada@example.com").await;
        let there = in_project(registration("ada@example.com"), "other");
        let there = open(&h.mesh).register(there).await.unwrap().into_inner();
        assert_ne!(here.subject, there.subject);

        let mut claims_other = bearing(GetMeRequest {}, &here.access_token);
        claims_other.metadata_mut().insert("tradewind-key", "tw_pub_other".parse().unwrap());
        let me = open(&h.mesh).get_me(claims_other).await.unwrap().into_inner();
        let request = RefreshSessionRequest { refresh_token: here.refresh_token.clone() };
        let elsewhere = open(&h.mesh).refresh_session(in_project(request, "other")).await;

        assert_eq!(me.id, here.subject, "{engine:?}");
        assert_eq!(
            refusal(elsewhere),
            refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN"),
            "{engine:?}"
        );
        refresh(&h, &here.refresh_token).await.unwrap();
    }
}

#[tokio::test]
async fn a_project_that_is_not_there_takes_nobody_in() {
    let h = start(Engine::Sqlite).await;
    let request: RegisterRequest = registration("ada@example.com");

    let result = open(&h.mesh).register(in_project(request, "nowhere")).await;

    assert_eq!(refusal(result), refused(Code::NotFound, "PROJECT_NOT_FOUND"));
}

#[tokio::test]
async fn a_spent_refresh_token_that_comes_again_ends_its_session() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let first = register(&h, "ada@example.com").await;
        let second = refresh(&h, &first.refresh_token).await.unwrap();
        me(&h.mesh, &second.access_token).await.unwrap();

        for token in [&first.refresh_token, &second.refresh_token] {
            assert_eq!(
                refusal(refresh(&h, token).await),
                refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN"),
                "{engine:?}"
            );
        }

        let refusal = refusal(me(&h.mesh, &second.access_token).await);
        assert_eq!(refusal, refused(Code::Unauthenticated, "INVALID_TOKEN"), "{engine:?}");
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_for_too_long_and_when_it_is_too_old() {
    for engine in Engine::ALL {
        let h = start(engine).await;
        let day = 24 * 60 * MINUTE;
        let idle = register(&h, "ada@example.com").await;
        let mut busy = register(&h, "bob@example.com").await;

        for _ in 0..4 {
            h.clock.advance(22 * day);
            busy = refresh(&h, &busy.refresh_token).await.unwrap();
        }
        h.clock.advance(2 * day);

        for token in [&idle.refresh_token, &busy.refresh_token] {
            assert_eq!(
                refusal(refresh(&h, token).await),
                refused(Code::Unauthenticated, "INVALID_REFRESH_TOKEN"),
                "{engine:?}"
            );
        }
    }
}
