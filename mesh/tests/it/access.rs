//! Who may call what, cell by cell, and with which key.

use mesh::{Caller, Context, Status};
use mesh_testing::parrot::v1::{Errand, Report};
use tonic::Response;
use tracing::Span;

use crate::asking::{bearing, reason, saying, with};
use crate::shape::{Shape, World};

/// Everyone, and what each RPC answers them: `Act`, `ActSignedIn`, `ActPermitted`, `ActInternal`.
const TABLE: [(&str, [&str; 4]); 5] = [
    ("nobody", ["OK", "UNAUTHENTICATED", "UNAUTHENTICATED", "SERVICES_ONLY"]),
    ("guest", ["OK", "OK", "PERMISSION_DENIED", "SERVICES_ONLY"]),
    ("pupil", ["OK", "OK", "PERMISSION_DENIED", "SERVICES_ONLY"]),
    ("teacher", ["OK", "OK", "OK", "SERVICES_ONLY"]),
    ("service", ["OK", "OK", "OK", "OK"]),
];

fn verdict(answer: Result<Response<Report>, Status>) -> String {
    answer.map_or_else(|status| reason(&status), |_| "OK".to_owned())
}

/// What the four RPCs answer someone.
async fn row(world: &World, who: &str) -> [String; 4] {
    if who == "service" {
        let caller = Caller::service("caller", "harbour", None);
        let mut client = world.of(&Context::new(caller, "test", Span::none()));
        return [
            verdict(client.act(saying("")).await),
            verdict(client.act_signed_in(saying("")).await),
            verdict(client.act_permitted(saying("")).await),
            verdict(client.act_internal(saying("")).await),
        ];
    }
    let token = match who {
        "guest" => Some(world.signer.guest("gst_1")),
        "pupil" => Some(world.signer.user("usr_1", &["pupil"])),
        "teacher" => Some(world.signer.user("usr_2", &["teacher"])),
        _ => None,
    };
    let request = || match &token {
        Some(token) => bearing(saying(""), token),
        None => with(Errand::default(), &[]),
    };
    let mut client = world.outside();
    [
        verdict(client.act(request()).await),
        verdict(client.act_signed_in(request()).await),
        verdict(client.act_permitted(request()).await),
        verdict(client.act_internal(request()).await),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_caller_may_what_the_contract_says_and_nothing_else() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        for (who, expected) in TABLE {
            assert_eq!(row(&world, who).await, expected, "{shape:?} {who}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_reaches_no_handler() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        world.outside().act_permitted(saying("")).await.unwrap_err();
        world.outside().act_internal(saying("")).await.unwrap_err();

        assert_eq!(world.parrot.calls(), 0, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_a_key_is_refused_without_a_right_one() {
    let long = "k".repeat(256);
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut client = world.outside();
        let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];

        let missing = client.write(saying("")).await.unwrap_err();
        let doubled = client.write(with(saying(""), &twice)).await.unwrap_err();
        let too_long = client.write(with(saying(""), &[("idempotency-key", &long)])).await;
        let right = client.write(with(saying(""), &[("idempotency-key", "a key")])).await;
        let unasked = client.act(with(saying(""), &[("idempotency-key", "a key")])).await;

        assert_eq!(reason(&missing), "IDEMPOTENCY_KEY_REQUIRED", "{shape:?}");
        assert_eq!(reason(&doubled), "MALFORMED_IDEMPOTENCY_KEY", "{shape:?}");
        assert_eq!(reason(&too_long.unwrap_err()), "MALFORMED_IDEMPOTENCY_KEY", "{shape:?}");
        assert_eq!(right.unwrap().into_inner().idempotency_key, "a key", "{shape:?}");
        assert_eq!(unasked.unwrap().into_inner().idempotency_key, "", "{shape:?}");
    }
}
