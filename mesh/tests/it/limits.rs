//! Budgets of calls: one for each class, and for each caller.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use mesh::limits::Limits;
use mesh::serve::Drain;
use mesh::{Caller, Code, Context, Request, Status};
use mesh_testing::parrot::v1::Errand;
use tonic_types::StatusExt;
use tracing::Span;

use crate::asking::{bearing, reason, saying, with};
use crate::shape::{Shape, World};

async fn tight(shape: Shape) -> World {
    let of = |number| NonZeroU32::new(number).unwrap();
    let limits = Limits {
        reads_per_second: of(3),
        writes_per_second: of(2),
        credentials_per_minute: of(1),
        ..Limits::default()
    };
    shape.start_with(limits, Drain::at_once()).await
}

fn from(address: &str, mut request: Request<Errand>) -> Request<Errand> {
    let address: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(address);
    request
}

fn keyed() -> Request<Errand> {
    with(saying(""), &[("idempotency-key", "a")])
}

fn after(status: &Status) -> Duration {
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(reason(status), "RATE_LIMITED");
    status.get_details_retry_info().unwrap().retry_delay.unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_class_has_a_budget_of_its_own_and_says_when_to_come_again() {
    for shape in Shape::ALL {
        let world = tight(shape).await;
        let mut client = world.outside();

        for _ in 0..3 {
            client.read(saying("")).await.unwrap();
        }
        for _ in 0..2 {
            client.write(keyed()).await.unwrap();
        }
        client.unlock(saying("")).await.unwrap();
        let read = client.read(saying("")).await.unwrap_err();
        let write = client.write(keyed()).await.unwrap_err();
        let unlock = client.unlock(saying("")).await.unwrap_err();

        assert!(after(&read) <= Duration::from_millis(334), "{shape:?}: {:?}", after(&read));
        assert!(after(&write) <= Duration::from_millis(500), "{shape:?}: {:?}", after(&write));
        assert!(after(&unlock) > Duration::from_secs(30), "{shape:?}: {:?}", after(&unlock));
        assert!(after(&read) > Duration::ZERO, "{shape:?}");
        client.act(saying("")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_a_budget_of_its_own() {
    for shape in Shape::ALL {
        let world = tight(shape).await;
        let (one, other) = (world.signer.user("usr_1", &[]), world.signer.guest("gst_1"));
        let mut client = world.outside();
        let unlock = |address| from(address, with(saying(""), &[]));

        for _ in 0..2 {
            let request = with(saying(""), &[("idempotency-key", "a")]);
            client.write(from("192.0.2.1:9", request)).await.unwrap();
        }
        let same = client.write(from("192.0.2.1:10", keyed())).await.unwrap_err();
        client.write(from("192.0.2.2:9", keyed())).await.unwrap();
        client.unlock(unlock("192.0.2.1:9")).await.unwrap();
        client.unlock(unlock("192.0.2.2:9")).await.unwrap();
        for token in [&one, &other] {
            for _ in 0..3 {
                client.read(from("192.0.2.1:9", bearing(saying(""), token))).await.unwrap();
            }
        }
        let signed_in = client.read(from("192.0.2.3:9", bearing(saying(""), &one))).await;

        after(&same);
        after(&signed_in.unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_counted_by_address_whoever_is_signed_in() {
    for shape in Shape::ALL {
        let world = tight(shape).await;
        let mut client = world.outside();
        let (one, other) = (world.signer.user("usr_1", &[]), world.signer.user("usr_2", &[]));
        let unlock = |token| from("[2001:db8::1]:9", bearing(saying(""), token));

        client.unlock(unlock(&one)).await.unwrap();
        let status = client.unlock(unlock(&other)).await.unwrap_err();
        let neighbour = from("[2001:db8::ffff]:9", with(saying(""), &[]));
        let beside = client.unlock(neighbour).await.unwrap_err();

        after(&status);
        after(&beside);
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_fills_again_with_time() {
    for shape in Shape::ALL {
        let world = tight(shape).await;
        let mut client = world.outside();
        client.unlock(saying("")).await.unwrap();
        let status = client.unlock(saying("")).await.unwrap_err();

        tokio::time::advance(after(&status)).await;

        client.unlock(saying("")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_services_are_not_counted() {
    for shape in Shape::ALL {
        let world = tight(shape).await;
        let caller = Caller::service("caller", "harbour", Some("usr_1".into()));
        let mut client = world.of(&Context::new(caller, "test", Span::none()));

        for _ in 0..10 {
            client.read(saying("")).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_caller_reaches_no_handler() {
    for shape in Shape::ALL {
        let world = tight(shape).await;
        world.outside().unlock(saying("")).await.unwrap();

        world.outside().unlock(saying("")).await.unwrap_err();

        assert_eq!(world.parrot.calls(), 1, "{shape:?}");
    }
}
