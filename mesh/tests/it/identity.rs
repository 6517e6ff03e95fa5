//! Who calls: what a token shows, and nothing that a caller merely says.

use std::net::SocketAddr;
use std::time::Duration;

use mesh::Code;
use mesh::identity::TokenKind;
use mesh::signing::SigningKey;
use mesh_testing::parrot::v1::{Errand, Report};
use prost::Message;
use tokio::time::advance;

use crate::asking::{ACT, bearing, framed, reason, saying, send, with};
use crate::shape::{Shape, World};
use crate::signer::LIFETIME;

async fn report(world: &World, token: &str) -> Report {
    world.outside().act(bearing(saying(""), token)).await.unwrap().into_inner()
}

/// Why a call with this `authorization` is refused.
async fn refused(world: &World, authorization: &str) -> String {
    let request = with(saying(""), &[("authorization", authorization)]);
    let status = world.outside().act(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{authorization}");
    assert_eq!(reason(&status), "INVALID_TOKEN", "{authorization}");
    status.message().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_good_token_shows_its_holder() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        let user = report(&world, &world.signer.user("usr_1", &[])).await;
        let guest = report(&world, &world.signer.guest("gst_1")).await;

        let shown = |it: &Report| (it.principal.clone(), it.actor.clone(), it.project.clone());
        assert_eq!(shown(&user), ("user".into(), "usr_1".into(), "harbour".into()), "{shape:?}");
        assert_eq!(shown(&guest), ("guest".into(), "gst_1".into(), "harbour".into()), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_in_the_project_of_the_key_they_name() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let keyed = with(saying(""), &[("tradewind-key", "tw_pub_harbour")]);

        let named = world.outside().act(keyed).await.unwrap().into_inner();
        let unnamed = world.outside().act(saying("")).await.unwrap().into_inner();

        assert_eq!((named.principal.as_str(), named.project.as_str()), ("nobody", "harbour"));
        assert_eq!((unnamed.principal.as_str(), unnamed.project.as_str()), ("nobody", "default"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_right_in_any_part_is_refused() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let good = world.signer.user("usr_1", &[]);
        let claims = world.signer.claims(TokenKind::User, "usr_1", &["teacher"]);
        let thief = SigningKey::from_der(&SigningKey::generate().unwrap()).unwrap();
        let expired = mesh::identity::Claims { exp: claims.iat, ..claims.clone() };
        let (head, rest) = good.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let other = world.signer.user("usr_2", &["teacher"]);
        let other = other.split('.').nth(1).unwrap();

        let wrong = [
            world.signer.sign("key-1", &expired),
            thief.sign(Some("key-1"), &claims).unwrap(),
            world.signer.sign("key-2", &claims),
            thief.sign(None, &claims).unwrap(),
            format!("{head}.{other}.{signature}"),
            format!("eyJhbGciOiJub25lIiwia2lkIjoia2V5LTEifQ.{other}."),
            "not.a.token".to_owned(),
            String::new(),
        ];

        report(&world, &good).await;
        for token in wrong {
            refused(&world, &format!("Bearer {token}")).await;
        }
        refused(&world, &format!("Basic {good}")).await;
        refused(&world, &good).await;
        assert_eq!(world.parrot.calls(), 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_credentials_are_none() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let token = format!("Bearer {}", world.signer.user("usr_1", &[]));
        let request = with(saying(""), &[("authorization", &token), ("authorization", &token)]);

        let status = world.outside().act(request).await.unwrap_err();

        assert_eq!(reason(&status), "INVALID_TOKEN", "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_checked_before_is_not_good_past_its_end() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let token = world.signer.user("usr_1", &[]);
        let lifetime = u64::try_from(LIFETIME).unwrap();
        report(&world, &token).await;
        world.clock.advance(Duration::from_secs(lifetime - 1));
        report(&world, &token).await;

        world.clock.advance(Duration::from_secs(1));
        let told = refused(&world, &format!("Bearer {token}")).await;

        assert!(told.contains("expired"), "{shape:?}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_an_ended_session_is_refused_here_at_once_and_elsewhere_when_told() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let (one, other) = (world.signer.user("usr_1", &[]), world.signer.user("usr_2", &[]));
        report(&world, &one).await;
        report(&world, &other).await;

        world.server.trust().end_session("ses_usr_1");
        refused(&world, &format!("Bearer {one}")).await;
        report(&world, &other).await;
        world.signer.end("ses_usr_2");
        advance(Duration::from_secs(6)).await;
        crate::shape::eventually(|| world.signer.asked() > 1).await;

        refused(&world, &format!("Bearer {other}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_asks_for_them_once_a_second() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let claims = world.signer.claims(TokenKind::User, "usr_1", &[]);
        report(&world, &world.signer.user("usr_1", &[])).await;
        let before = world.signer.asked();

        for number in 0..50 {
            let token = world.signer.sign(&format!("key-{number}x"), &claims);
            refused(&world, &format!("Bearer {token}")).await;
        }
        let within = world.signer.asked() - before;
        advance(Duration::from_secs(1)).await;
        refused(&world, &format!("Bearer {}", world.signer.sign("key-y", &claims))).await;

        assert!(within <= 1, "{shape:?}: {within}");
        assert_eq!(world.signer.asked() - before, within + 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_fails_is_not_asked_by_every_token_and_no_token_is_called_wrong() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let token = world.signer.user("usr_1", &[]);
        world.signer.fall_silent();

        for _ in 0..20 {
            let request = bearing(saying(""), &token);
            let status = world.outside().act(request).await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{shape:?}");
            assert_eq!(reason(&status), "NO_KEYS", "{shape:?}");
        }

        assert_eq!(world.signer.asked(), 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_the_mesh_may_say_is_not_believed_of_a_stranger() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let forged = [
            ("tradewind-acting", "relay"),
            ("tradewind-on-behalf", "usr_1"),
            ("tradewind-project", "harbour"),
            ("tradewind-client-address", "192.0.2.66"),
        ];
        let body = framed(&Errand::default());
        let act_internal = "/parrot.v1.ParrotService/ActInternal";

        for way in [world.stranger().await, world.caller.channel("parrot")] {
            let told = send(way.clone(), ACT, &forged, body.clone()).await;
            let refused = send(way, act_internal, &forged, body.clone()).await;

            let report = Report::decode(&told.body[5..]).unwrap();
            assert_eq!(report.principal, "nobody", "{shape:?}");
            assert_eq!((report.subject.as_str(), report.project.as_str()), ("", "default"));
            assert_ne!(report.address, "192.0.2.66", "{shape:?}");
            assert_eq!(reason(&refused.status()), "SERVICES_ONLY", "{shape:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_passed_on_keeps_its_caller_its_project_and_its_address() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let address: SocketAddr = "192.0.2.7:9".parse().unwrap();
        let mut request = bearing(saying(""), &world.signer.user("usr_1", &[]));
        request.extensions_mut().insert(address);

        let report = world.relay().pass(request).await.unwrap().into_inner();

        assert_eq!((report.principal.as_str(), report.actor.as_str()), ("user", "usr_1"));
        assert_eq!(report.project, "harbour", "{shape:?}");
        assert_eq!(report.address, "192.0.2.7", "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_acts_itself_acts_for_its_customer() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let request = bearing(saying(""), &world.signer.user("usr_1", &[]));

        let report = world.relay().pass_as_service(request).await.unwrap().into_inner();

        assert_eq!((report.principal.as_str(), report.actor.as_str()), ("service", "relay"));
        assert_eq!((report.subject.as_str(), report.project.as_str()), ("usr_1", "harbour"));
    }
}
