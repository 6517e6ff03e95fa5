//! How a process shows that it belongs to the mesh: a token for one target, for a minute.

use std::collections::HashMap;
use std::time::Duration;

use mesh::limits::Limits;
use mesh::signing::SigningKey;
use mesh::{Caller, Code, Context};
use mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient;
use mesh_testing::parrot::v1::{Errand, Report};
use prost::Message;
use serde::Serialize;
use tracing::Span;

use crate::asking::{Answer, framed, reason, saying, send};
use crate::shape::{BEGINNING, Shape, World, mesh, run};

const ACT_INTERNAL: &str = "/parrot.v1.ParrotService/ActInternal";

#[derive(Serialize)]
struct Claims {
    sub: &'static str,
    aud: &'static str,
    exp: i64,
}

/// The claims of a token that the parrot believes.
fn good() -> Claims {
    Claims { sub: "relay", aud: "parrot.v1.ParrotService", exp: BEGINNING / 1_000_000 + 60 }
}

/// What the parrot answers to whoever shows a token.
async fn shown(world: &World, token: &str) -> Answer {
    let headers = [
        ("tradewind-service", token),
        ("tradewind-acting", "relay"),
        ("tradewind-project", "harbour"),
        ("tradewind-on-behalf", "usr_1"),
        ("tradewind-client-address", "192.0.2.7"),
    ];
    let body = framed(&Errand::default());
    send(world.stranger().await, ACT_INTERNAL, &headers, body).await
}

fn refusal(answer: &Answer) -> String {
    let status = answer.status();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(reason(&status), "INVALID_TOKEN");
    status.message().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_right_token_shows_a_service_and_for_whom_it_works() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let key = SigningKey::from_pem(world.pem.as_bytes()).unwrap();

        let answer = shown(&world, &key.sign(None, &good()).unwrap()).await;

        let report = Report::decode(&answer.body[5..]).unwrap();
        assert_eq!((report.principal.as_str(), report.actor.as_str()), ("service", "relay"));
        assert_eq!((report.subject.as_str(), report.project.as_str()), ("usr_1", "harbour"));
        assert_eq!(report.address, "192.0.2.7", "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_for_another_service_of_another_mesh_or_of_another_time_is_refused() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let key = SigningKey::from_pem(world.pem.as_bytes()).unwrap();
        let foreign = SigningKey::from_der(&SigningKey::generate().unwrap()).unwrap();
        let elsewhere = Claims { aud: "parrot.v1.RelayService", ..good() };
        let other = Claims { sub: "caller", ..good() };
        let fresh = key.sign(None, &good()).unwrap();

        let audience = shown(&world, &key.sign(None, &elsewhere).unwrap()).await;
        let signature = shown(&world, &foreign.sign(None, &good()).unwrap()).await;
        let acting = shown(&world, &key.sign(None, &other).unwrap()).await;
        let garbage = shown(&world, "token").await;
        let in_time = shown(&world, &fresh).await;
        world.clock.advance(Duration::from_secs(60));
        let late = shown(&world, &fresh).await;

        assert!(refusal(&audience).contains("another service"), "{shape:?}");
        assert!(refusal(&signature).contains("signature"), "{shape:?}");
        assert!(refusal(&acting).contains("acting"), "{shape:?}");
        refusal(&garbage);
        assert_eq!(in_time.headers["grpc-status"], "0", "{shape:?}");
        assert!(refusal(&late).contains("expired"), "{shape:?}");
        assert_eq!(world.parrot.calls(), 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_made_anew_before_they_end() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let caller = Caller::service("caller", "harbour", None);
        let mut client = world.of(&Context::new(caller, "test", Span::none()));

        for _ in 0..10 {
            client.act_internal(saying("")).await.unwrap();
            world.clock.advance(Duration::from_secs(25));
        }

        assert_eq!(world.parrot.calls(), 10, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_without_the_key_is_nobody_to_the_others() {
    let world = Shape::Far.start().await;
    let address = world.served.as_ref().unwrap().address;
    let elsewhere = HashMap::from([("parrot", format!("http://{address}"))]);
    let keyless = mesh(elsewhere, "keyless", None, &world.clock, Limits::default());
    let stop = run(&keyless, Vec::new());
    let caller = Caller::service("caller", "harbour", None);
    let context = Context::new(caller, "test", Span::none());
    let mut client = ParrotServiceClient::new(keyless.peer("caller", "parrot").of(&context));

    let report = client.act(saying("")).await.unwrap().into_inner();
    let status = client.act_internal(saying("")).await.unwrap_err();

    assert_eq!((report.principal.as_str(), report.project.as_str()), ("nobody", "default"));
    assert_eq!(reason(&status), "SERVICES_ONLY");
    stop.cancel();
}
