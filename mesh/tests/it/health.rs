//! Health and reflection, as their own contracts say.

use std::time::Duration;

use contract::grpc::health::v1::health_check_response::ServingStatus;
use contract::grpc::health::v1::health_client::HealthClient;
use contract::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse, HealthListRequest};
use mesh::{Channel, Code};
use tokio::time::timeout;
use tonic_reflection::pb::{v1, v1alpha};

use crate::asking::reason;
use crate::shape::Shape;

const PARROT: &str = "parrot.v1.ParrotService";

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

fn is(answer: HealthCheckResponse, status: ServingStatus) -> bool {
    answer.status() == status
}

#[tokio::test(start_paused = true)]
async fn check_tells_of_what_is_here_and_finds_nothing_else() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut health = HealthClient::new(world.stranger().await);

        let whole = health.check(of("")).await.unwrap().into_inner();
        let parrot = health.check(of(PARROT)).await.unwrap().into_inner();
        let status = health.check(of("parrot.v1.SilentService")).await.unwrap_err();
        world.server.health().stop();
        let stopped = health.check(of(PARROT)).await.unwrap().into_inner();

        assert!(is(whole, ServingStatus::Serving) && is(parrot, ServingStatus::Serving));
        assert_eq!(status.code(), Code::NotFound, "{shape:?}");
        assert_eq!(reason(&status), "UNKNOWN_SERVICE", "{shape:?}");
        assert!(is(stopped, ServingStatus::NotServing), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn watch_tells_each_change_once() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut health = HealthClient::new(world.stranger().await);
        let mut watch = health.watch(of(PARROT)).await.unwrap().into_inner();

        let first = watch.message().await.unwrap().unwrap();
        world.server.health().serve([PARROT]);
        let unchanged = timeout(Duration::from_secs(60), watch.message()).await;
        world.server.health().stop();
        let second = watch.message().await.unwrap().unwrap();
        let end = watch.message().await.unwrap();

        assert_eq!(end, None, "{shape:?}: who watches does not keep what ends");
        assert!(is(first, ServingStatus::Serving), "{shape:?}");
        assert!(unchanged.is_err(), "{shape:?}: {unchanged:?}");
        assert!(is(second, ServingStatus::NotServing), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn watch_of_an_unknown_service_stays_open_until_it_is_known() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut health = HealthClient::new(world.stranger().await);
        let mut watch = health.watch(of("late.v1.Service")).await.unwrap().into_inner();

        let first = watch.message().await.unwrap().unwrap();
        let silence = timeout(Duration::from_secs(60), watch.message()).await;
        world.server.health().serve(["late.v1.Service"]);
        let known = watch.message().await.unwrap().unwrap();

        assert!(is(first, ServingStatus::ServiceUnknown), "{shape:?}");
        assert!(silence.is_err(), "{shape:?}: {silence:?}");
        assert!(is(known, ServingStatus::Serving), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn list_tells_of_all() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut health = HealthClient::new(world.stranger().await);

        let statuses = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;

        assert!(is(statuses[""], ServingStatus::Serving), "{shape:?}");
        assert!(is(statuses[PARROT], ServingStatus::Serving), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_more_than_a_hundred_is_refused() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut health = HealthClient::new(world.stranger().await);
        let here = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses.len();
        let more: Vec<_> = (here..100).map(|number| number.to_string()).collect();
        world.server.health().serve(more.iter().map(String::as_str));

        let all = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;
        world.server.health().serve(["one too many"]);
        let status = health.list(HealthListRequest {}).await.unwrap_err();

        assert_eq!(all.len(), 100, "{shape:?}");
        assert_eq!(status.code(), Code::ResourceExhausted, "{shape:?}");
        assert_eq!(reason(&status), "TOO_MANY_SERVICES", "{shape:?}");
        assert!(health.check(of("one too many")).await.is_ok(), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_is_down_is_told_and_takes_nothing_with_it() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut health = HealthClient::new(world.stranger().await);
        let mut watch = health.watch(of("dependency.keys")).await.unwrap().into_inner();
        let begun = watch.message().await.unwrap().unwrap();

        let asked = watch.message().await.unwrap().unwrap();
        world.server.health().dependency("dependency.keys", false);
        let down = watch.message().await.unwrap().unwrap();
        let whole = health.check(of("")).await.unwrap().into_inner();
        let again = watch.message().await.unwrap().unwrap();

        assert!(is(begun, ServingStatus::ServiceUnknown), "{shape:?}");
        assert!(is(asked, ServingStatus::Serving), "{shape:?}");
        assert!(is(down, ServingStatus::NotServing), "{shape:?}");
        assert!(is(whole, ServingStatus::Serving), "{shape:?}");
        assert!(is(again, ServingStatus::Serving), "{shape:?}: keys are asked for every 5 s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_stopped_does_not_begin_again() {
    let world = Shape::Near.start().await;
    let mut health = HealthClient::new(world.stranger().await);
    world.server.health().stop();

    world.server.health().serve([PARROT, "late.v1.Service"]);
    world.server.health().dependency("dependency.keys", true);

    let statuses = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;
    assert!(statuses.values().all(|told| is(*told, ServingStatus::NotServing)), "{statuses:?}");
    assert!(statuses.contains_key("late.v1.Service"));
}

async fn reflected(channel: Channel) -> Vec<String> {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let ask = MessageRequest::ListServices(String::new());
    let ask = v1::ServerReflectionRequest { message_request: Some(ask), ..Default::default() };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    match answer.message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("{other:?}"),
    }
}

async fn reflected_alpha(channel: Channel) -> Vec<String> {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;
    let ask = MessageRequest::ListServices(String::new());
    let ask = v1alpha::ServerReflectionRequest { message_request: Some(ask), ..Default::default() };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    match answer.message_response.unwrap() {
        MessageResponse::ListServicesResponse(list) => {
            list.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn reflection_lists_the_services_in_both_its_versions() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        let current = reflected(world.stranger().await).await;
        let older = reflected_alpha(world.stranger().await).await;

        for services in [current, older] {
            assert!(services.iter().any(|name| name == PARROT), "{shape:?}: {services:?}");
        }
    }
}
