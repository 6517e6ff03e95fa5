//! A call and its tries.

use std::time::Duration;

use mesh::telemetry::{self, LogFormat, Otlp};
use mesh::{Caller, Code, Context, Trace};
use tokio::time::Instant;
use tonic::Request;
use tracing::Instrument;
use tradewind::catalog::v1::SearchProductsRequest;
use tradewind::orders::v1::PlaceOrderRequest;
use tradewind::users::v1::{LogInRequest, SetUserRolesRequest};
use tradewind_client::Retry;

use crate::script::{Outcome, Script};

const GONE: Outcome = Outcome::Refuses(Code::Unavailable, None);

fn search() -> SearchProductsRequest {
    SearchProductsRequest { query: "shirt".into(), ..SearchProductsRequest::default() }
}

/// What is left of a deadline, as a try says it.
fn timeout(text: &str) -> Duration {
    let (digits, unit) = text.split_at(text.len() - 1);
    let number: u64 = digits.parse().unwrap();
    match unit {
        "n" => Duration::from_nanos(number),
        "u" => Duration::from_micros(number),
        "m" => Duration::from_millis(number),
        "S" => Duration::from_secs(number),
        other => panic!("{other} is no unit"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_effect_is_tried_again_until_it_succeeds() {
    let script = Script::of([GONE, GONE]);

    script.client().catalog().search_products(search()).await.unwrap();

    assert_eq!(script.tries().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_idempotent_is_tried_again() {
    let script = Script::of([GONE]);

    script.client().users().set_user_roles(SetUserRolesRequest::default()).await.unwrap();

    assert_eq!(script.tries().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_a_key_is_tried_again_with_the_same_one() {
    let script = Script::of([GONE, Outcome::Refuses(Code::Aborted, Some(Duration::ZERO))]);
    let client = script.client();

    client.orders().place_order(PlaceOrderRequest::default()).await.unwrap();
    client.orders().place_order(PlaceOrderRequest::default()).await.unwrap();

    let keys: Vec<_> =
        script.tries().iter().map(|it| it.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!((&keys[0], &keys[0]), (&keys[1], &keys[2]));
    assert_ne!(keys[2], keys[3], "another call is another key");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_caller_is_kept() {
    let script = Script::default();
    let mut request = Request::new(PlaceOrderRequest::default());
    request.metadata_mut().insert("idempotency-key", "mine".parse().unwrap());

    script.client().orders().place_order(request).await.unwrap();

    assert_eq!(script.tries()[0].header("idempotency-key"), Some("mine"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_had_its_effect_is_tried_once() {
    let script = Script::of([GONE]);

    let refused = script.client().users().log_in(LogInRequest::default()).await.unwrap_err();

    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(script.tries().len(), 1);
    assert_eq!(script.tries()[0].header("idempotency-key"), None);
}

#[tokio::test(start_paused = true)]
async fn what_time_does_not_heal_is_said_at_once() {
    let script = Script::of([Outcome::Refuses(Code::NotFound, None)]);

    let refused = script.client().catalog().search_products(search()).await.unwrap_err();

    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "as the script has it"));
    assert_eq!(script.tries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_server_says_when_to_come_again() {
    let later = Outcome::Refuses(Code::ResourceExhausted, Some(Duration::from_secs(1)));
    let script = Script::of([later]);
    let began = Instant::now();

    script.client().catalog().search_products(search()).await.unwrap();

    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_wait_past_the_deadline_is_not_begun() {
    let later = Outcome::Refuses(Code::Unavailable, Some(Duration::from_secs(3600)));
    let script = Script::of([later]);
    let began = Instant::now();

    let refused = script.client().catalog().search_products(search()).await.unwrap_err();

    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn every_try_says_what_is_left_of_one_deadline() {
    let script =
        Script::of([Outcome::Refuses(Code::Unavailable, Some(Duration::from_millis(100)))]);
    let client = script.client().until(Instant::now() + Duration::from_millis(400));

    client.catalog().search_products(search()).await.unwrap();

    let left: Vec<_> =
        script.tries().iter().map(|it| timeout(it.header("grpc-timeout").unwrap())).collect();
    assert!((390..=400).contains(&left[0].as_millis()), "{left:?}");
    assert!(left[1] <= Duration::from_millis(300), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn without_an_earlier_one_the_deadline_is_the_contracts() {
    let script = Script::of([Outcome::Hangs]);
    let began = Instant::now();

    let refused = script.client().catalog().search_products(search()).await.unwrap_err();

    assert_eq!(refused.code(), Code::DeadlineExceeded);
    let said = timeout(script.tries()[0].header("grpc-timeout").unwrap());
    let off = began.elapsed().abs_diff(said);
    assert!(off <= Duration::from_millis(2), "{:?} for {said:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_mesh_that_fails_all_the_time_is_left_alone() {
    let script = Script::of(std::iter::repeat_n(GONE, 100));
    let client = script.client().retrying(Retry { attempts: 10, ..Retry::default() });

    client.catalog().search_products(search()).await.unwrap_err();
    let before = script.tries().len();
    client.catalog().search_products(search()).await.unwrap_err();

    assert!(before < 10, "{before} tries");
    assert_eq!(script.tries().len() - before, 1);
}

#[tokio::test]
async fn a_call_is_in_the_trace_of_its_caller() {
    let config = telemetry::Config {
        filter: "warn".into(),
        format: LogFormat::Human,
        otlp: Some(Otlp::all_to("http://127.0.0.1:1")),
        sample: 1.0,
        name: "test".into(),
    };
    let _telemetry = telemetry::start(&config).unwrap();
    let script = Script::default();
    let span = tracing::info_span!("job");

    let client = script.client();
    let call = async move { client.catalog().search_products(search()).await };
    call.instrument(span.clone()).await.unwrap();

    let task = Context::new(Caller::nobody("default"), "task", span.clone());
    script.client().of(&task).catalog().search_products(search()).await.unwrap();

    let trace = Trace::from(&span).id().unwrap();
    for a_try in script.tries() {
        let parent = a_try.header("traceparent").unwrap();
        assert_eq!(parent.split('-').nth(1), Some(trace.as_str()));
        assert_ne!(
            Trace::from(&span).traceparent().unwrap(),
            parent,
            "the call is a span of its own"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_service_calls_ends_with_what_it_was_asked() {
    let script = Script::of([Outcome::Hangs]);
    let request = Context::new(Caller::nobody("default"), "request", tracing::Span::none())
        .until(Instant::now() + Duration::from_millis(30));
    let began = Instant::now();

    let client = script.client().of(&request);
    let refused = client.catalog().search_products(search()).await.unwrap_err();

    assert_eq!(refused.code(), Code::DeadlineExceeded);
    assert!(began.elapsed() < Duration::from_millis(32), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_caller_without_a_token_says_its_project() {
    let script = Script::default();

    script.client().in_project("bakery").catalog().search_products(search()).await.unwrap();

    assert_eq!(script.tries()[0].header("tradewind-key"), Some("tw_pub_bakery"));
}
