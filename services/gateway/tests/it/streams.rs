//! Server streams over REST.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tonic::body::Body;

use crate::support::{asking, get, open, parrot, post, send};

fn events(json: &str) -> Request<Full<Bytes>> {
    asking("POST", "/v1/follow")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream, */*;q=0.1")
        .body(json.to_owned().into())
        .unwrap()
}

async fn piece(response: &mut Response<Body>) -> String {
    let frame = response.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_stream_is_a_message_a_line() {
    let answer =
        send(&parrot(), post("/v1/follow", r#"{"things":[{"name":"a"},{"name":"b"}]}"#)).await;

    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["name"], &lines[1]["name"]), (&json!("a"), &json!("b")));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_the_error() {
    let answer = send(&parrot(), post("/v1/follow", r#"{"things":[{}],"code":14}"#)).await;

    assert_eq!(answer.status, 200);
    let last: Value = serde_json::from_str(answer.text().lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["status"], "UNAVAILABLE");
}

#[tokio::test]
async fn a_stream_of_nothing_is_empty() {
    assert_eq!(send(&parrot(), get("/v1/follow?names=a")).await.text(), "");
}

#[tokio::test]
async fn a_listener_gets_events_and_their_end() {
    let answer = send(&parrot(), events(r#"{"things":[{"name":"a\nb"},{}]}"#)).await;

    assert_eq!(answer.header("content-type"), "text/event-stream");
    let events: Vec<&str> = answer.text().split_terminator("\n\n").collect();
    assert!(events[0].starts_with("id: 1\ndata: {"), "{}", events[0]);
    assert!(events[0].contains(r#""name":"a\nb""#));
    assert!(events[1].starts_with("id: 2\n"));
    assert_eq!(events[2], "event: end\ndata: {}");
}

#[tokio::test]
async fn a_listener_gets_the_error_as_an_event() {
    let answer = send(&parrot(), events(r#"{"code":7}"#)).await;

    let data = answer.text().strip_prefix("event: error\ndata: ").unwrap();
    let error: Value = serde_json::from_str(data).unwrap();
    assert_eq!(error["error"]["code"], 403);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_open_by_heartbeats() {
    let mut response = open(&parrot(), events(r#"{"things":[{}],"waits":true}"#)).await;
    assert!(piece(&mut response).await.starts_with("id: 1"));
    let started = tokio::time::Instant::now();

    let beats = [piece(&mut response).await, piece(&mut response).await];

    assert_eq!(beats, [": heartbeat\n\n", ": heartbeat\n\n"]);
    assert_eq!(started.elapsed().as_secs(), Duration::from_secs(30).as_secs());
}

#[tokio::test]
async fn messages_leave_as_they_come() {
    let request = post("/v1/follow", r#"{"things":[{"name":"a"}],"waits":true}"#);

    let mut response = open(&parrot(), request).await;

    assert!(piece(&mut response).await.contains(r#""name":"a""#));
}
