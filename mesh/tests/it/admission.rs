//! How many calls are answered at once, and which are refused first.

use std::time::Duration;

use contract::grpc::health::v1::HealthCheckRequest;
use contract::grpc::health::v1::health_client::HealthClient;
use mesh::admission::Config;
use mesh::limits::Limits;
use mesh::serve::Drain;
use mesh::{Caller, Code, Context, Request, Status};
use mesh_testing::parrot::v1::{Deed, Errand};
use tonic_types::StatusExt;
use tracing::Span;

use crate::asking::{errand, metric, reason, saying, with};
use crate::shape::{Shape, World, eventually};

/// A parrot for so many calls at once, however fast they are.
async fn narrow(shape: Shape, calls: usize) -> World {
    let at_once = Config { floor: calls, ceiling: calls, ..Config::default() };
    limited(shape, Some(at_once)).await
}

async fn limited(shape: Shape, at_once: Option<Config>) -> World {
    shape.start_with(Limits { at_once, ..Limits::default() }, Drain::at_once()).await
}

fn keyed(deed: Deed) -> Request<Errand> {
    with(errand(deed), &[("idempotency-key", "a")])
}

/// The parrot keeps so many who only look waiting.
async fn looking(world: &World, number: usize) {
    for _ in 0..number {
        let mut client = world.outside();
        tokio::spawn(async move { client.read(errand(Deed::Wait)).await });
    }
    world.parrot.until_running(number).await;
}

fn overloaded(status: &Status) -> Duration {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(reason(status), "OVERLOADED");
    let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap();
    assert_eq!(u128::from(pushback.parse::<u64>().unwrap()), wait.as_millis());
    wait
}

/// How often a call without effect is sent that is shed each time: another process comes back when it is
/// told to.
fn tries(shape: Shape) -> u64 {
    match shape {
        Shape::Near => 1,
        Shape::Far => 4,
    }
}

fn shed(world: &World, criticality: &str) -> u64 {
    let line = format!("mesh_admission_shed_total{{criticality=\"{criticality}\"}}");
    metric(&world.server, &line)
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_is_refused_before_who_buys_and_what_was_begun_goes_on() {
    for shape in Shape::ALL {
        let world = narrow(shape, 5).await;
        looking(&world, 4).await;
        let context =
            Context::new(Caller::service("caller", "harbour", None), "test", Span::none());

        let look = world.outside().read(saying("")).await.unwrap_err();
        let mut buyer = world.outside();
        tokio::spawn(async move { buyer.write(keyed(Deed::Wait)).await });
        world.parrot.until_running(5).await;
        let buy = world.outside().write(keyed(Deed::Unspecified)).await.unwrap_err();
        let begun = world.of(&context).read(saying("")).await;
        let mut health = HealthClient::new(world.stranger().await);
        let health = health.check(HealthCheckRequest::default()).await;

        for status in [look, buy] {
            let wait = overloaded(&status);
            assert!(wait >= Duration::from_millis(100) && wait <= Duration::from_millis(300));
        }
        begun.unwrap();
        health.unwrap();
        assert_eq!((shed(&world, "read"), shed(&world, "write")), (tries(shape), 1), "{shape:?}");
        assert_eq!(shed(&world, "follow-up"), 0, "{shape:?}");
        assert_eq!(metric(&world.server, "mesh_admission_limit"), 5, "{shape:?}");
        assert_eq!(metric(&world.server, "mesh_admission_in_flight"), 5, "{shape:?}");
        assert_eq!(world.parrot.calls(), 6, "{shape:?}");
        world.parrot.release();
        eventually(|| metric(&world.server, "mesh_admission_in_flight") == 0).await;
        world.outside().read(saying("")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_has_its_limit_too() {
    for shape in Shape::ALL {
        let world = narrow(shape, 1).await;
        let context =
            Context::new(Caller::service("caller", "harbour", None), "test", Span::none());
        for _ in 0..4 {
            let mut client = world.of(&context);
            tokio::spawn(async move { client.read(errand(Deed::Wait)).await });
        }
        world.parrot.until_running(4).await;

        let status = world.of(&context).read(saying("")).await.unwrap_err();

        overloaded(&status);
        assert_eq!(shed(&world, "follow-up"), tries(shape), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_is_given_back_when_its_caller_goes_away() {
    for shape in Shape::ALL {
        let world = narrow(shape, 1).await;
        let mut client = world.outside();
        let call = tokio::spawn(async move { client.read(errand(Deed::Wait)).await });
        world.parrot.until_running(1).await;

        call.abort();
        world.parrot.until_running(0).await;

        eventually(|| metric(&world.server, "mesh_admission_in_flight") == 0).await;
        world.outside().read(saying("")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_a_place_until_it_has_begun() {
    for shape in Shape::ALL {
        let world = narrow(shape, 1).await;
        let asked = Errand { reports: 1, ..errand(Deed::Wait) };
        let mut stream = world.outside().chatter(asked).await.unwrap().into_inner();
        stream.message().await.unwrap().unwrap();

        world.outside().act(saying("")).await.unwrap();

        world.parrot.release();
        assert_eq!(stream.message().await.unwrap(), None, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_only_says_to_be_a_service_gets_no_further_than_that() {
    let world = narrow(Shape::Far, 1).await;
    looking(&world, 1).await;
    let claims = [("tradewind-service", "made up"), ("tradewind-project", "harbour")];
    let mut stranger = mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient::new(
        world.stranger().await,
    );

    let status = stranger.act(with(saying(""), &claims)).await.unwrap_err();

    assert_eq!(reason(&status), "INVALID_TOKEN");
    assert_eq!(world.parrot.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_no_limit_is_set_all_are_let_in() {
    for shape in Shape::ALL {
        let world = limited(shape, None).await;

        looking(&world, 150).await;

        assert_eq!(world.parrot.calls(), 150, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_lower_the_limit_and_fast_ones_leave_it() {
    for shape in Shape::ALL {
        let at_once = Config { floor: 5, ceiling: 100, ..Config::default() };
        let world = limited(shape, Some(at_once)).await;
        let limit = || metric(&world.server, "mesh_admission_limit");
        for _ in 0..60 {
            world.outside().act(saying("")).await.unwrap();
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let fast = limit();

        for _ in 0..4 {
            let calls = (0..40).map(|_| {
                let mut client = world.outside();
                async move { client.act(errand(Deed::Wait)).await }
            });
            futures_util::future::join_all(calls).await;
        }

        assert_eq!(fast, 100, "{shape:?}");
        assert!(limit() < 60, "{shape:?}: {}", limit());
    }
}
