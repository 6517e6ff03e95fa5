//! Which calls are tried again, where, and when.

use std::time::Duration;

use mesh::Configs;
use mesh_testing::parrot::v1::Errand;
use mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient;
use tokio::time::Instant;
use tonic::Code;

use crate::asking::{saying, with};
use crate::fleet::{Fleet, Mood, Replica, calling};
use crate::shape::time_passes;

const GONE: Mood = Mood::Refusing(Code::Unavailable, None);

/// A config of one method, `Read` of the parrot.
fn of_read(policy: &str) -> String {
    let name = r#"[{"service": "parrot.v1.ParrotService", "method": "Read"}]"#;
    format!(r#"{{"methodConfig": [{{"name": {name}, {policy}}}]}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_call_without_effect_is_tried_again_elsewhere() {
    for _ in 0..10 {
        let fleet = Fleet::start(2).await;
        fleet.call(20).await;
        fleet.replicas[0].be(GONE);
        let before = fleet.calls();

        for _ in 0..20 {
            fleet.client().read(saying("")).await.unwrap();
        }

        assert!(fleet.calls()[1] - before[1] == 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_key_is_tried_again_with_the_same_one() {
    let fleet = Fleet::start(1).await;
    fleet.replicas[0].be(GONE);
    let request = with(saying(""), &[("idempotency-key", "once")]);

    let status = fleet.client().write(request).await.unwrap_err();

    let replica = &fleet.replicas[0];
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(replica.header("idempotency-key"), vec![Some("once".to_owned()); 4]);
    let before = [None, Some("1"), Some("2"), Some("3")].map(|n| n.map(str::to_owned));
    assert_eq!(replica.header("grpc-previous-rpc-attempts"), before);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_had_its_effect_is_tried_once() {
    let fleet = Fleet::start(2).await;
    for replica in &fleet.replicas {
        replica.be(GONE);
    }

    fleet.client().act(saying("")).await.unwrap_err();

    assert_eq!(fleet.calls().iter().sum::<usize>(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_what_time_heals_is_tried_again() {
    for code in [Code::Internal, Code::NotFound, Code::Aborted, Code::ResourceExhausted] {
        let fleet = Fleet::start(1).await;
        fleet.replicas[0].be(Mood::Refusing(code, None));

        let status = fleet.client().read(saying("")).await.unwrap_err();

        assert_eq!((status.code(), fleet.calls()), (code, vec![1]));
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_says_when_to_come_again_or_never() {
    for (pushback, code, tries) in [
        ("-1", Code::Unavailable, 1),
        ("whenever", Code::Unavailable, 1),
        // Whoever sheds load has not begun the call.
        ("700", Code::ResourceExhausted, 4),
    ] {
        let fleet = Fleet::start(1).await;
        fleet.replicas[0].be(Mood::Refusing(code, Some(pushback)));
        let begun = Instant::now();

        let status = fleet.client().read(saying("")).await.unwrap_err();

        assert_eq!((status.code(), fleet.calls()), (code, vec![tries]), "{pushback}");
        let waited = begun.elapsed();
        assert!(tries == 1 || waited >= Duration::from_millis(2100), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_total_outage_hardly_multiplies_the_calls() {
    let fleet = Fleet::start(2).await;
    for replica in &fleet.replicas {
        replica.be(GONE);
    }
    let mut client = fleet.client();

    for _ in 0..500 {
        client.read(saying("")).await.unwrap_err();
    }

    let sent: usize = fleet.calls().iter().sum();
    assert!(sent <= 600, "{sent} for 500");
}

#[tokio::test(start_paused = true)]
async fn a_retry_ends_with_the_deadline_and_says_what_is_left_of_it() {
    let fleet = Fleet::start(1).await;
    fleet.replicas[0].be(Mood::Refusing(Code::Unavailable, Some("300")));
    let request = with(saying(""), &[("grpc-timeout", "700m")]);
    let begun = Instant::now();

    let status = fleet.client().read(request).await.unwrap_err();

    assert_eq!(status.code(), Code::Unavailable, "a wait that is longer is not begun");
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    let left = fleet.replicas[0].header("grpc-timeout");
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.windows(2).all(|two| two[0] != two[1]), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_config_says_how_often_and_after_which_failures() {
    let policy = r#""retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.1s",
        "backoffMultiplier": 2, "retryableStatusCodes": ["ABORTED"]}"#;
    let fleet = Fleet::start_with(1, &of_read(policy)).await;
    fleet.replicas[0].be(Mood::Refusing(Code::Aborted, None));

    fleet.client().read(saying("")).await.unwrap_err();
    let aborted = fleet.calls();
    fleet.replicas[0].be(GONE);
    fleet.client().read(saying("")).await.unwrap_err();

    assert_eq!((aborted, fleet.calls()), (vec![3], vec![4]));
}

#[tokio::test(start_paused = true)]
async fn a_hedged_call_is_answered_by_whoever_is_first() {
    let policy = r#""hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "0.1s"}"#;
    let fleet = Fleet::start_with(2, &of_read(policy)).await;
    fleet.call(20).await;
    fleet.replicas[0].be(Mood::Mute);
    let begun = Instant::now();

    for _ in 0..5 {
        fleet.client().read(saying("")).await.unwrap();
    }

    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn only_a_call_without_effect_is_hedged() {
    let policy = r#"{"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 3}}]}"#;
    let fleet = Fleet::start_with(2, policy).await;

    fleet.client().act(saying("")).await.unwrap();

    assert_eq!(fleet.calls().iter().sum::<usize>(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_on_only_after_failures_that_are_not_fatal() {
    let policy = r#""hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "1s",
        "nonFatalStatusCodes": ["UNAVAILABLE"]}"#;
    let fleet = Fleet::start_with(1, &of_read(policy)).await;

    fleet.replicas[0].be(GONE);
    let unavailable = fleet.client().read(saying("")).await.unwrap_err();
    let tried = fleet.calls();
    fleet.replicas[0].be(Mood::Refusing(Code::Internal, None));
    let fatal = fleet.client().read(saying("")).await.unwrap_err();

    assert_eq!((unavailable.code(), tried), (Code::Unavailable, vec![3]));
    assert_eq!((fatal.code(), fleet.calls()), (Code::Internal, vec![4]));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_service_that_is_not_there_yet_where_a_config_says_so() {
    let _time = time_passes();
    let spare = Replica::start().await;
    spare.die();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let config = r#"{"methodConfig": [{"name": [{}], "waitForReady": true}]}"#;
    let config = Configs::fixed(mesh::ServiceConfig::from_json(config).unwrap());
    let patient = calling(&format!("http://{}", spare.address), config);
    let hasty = calling(&format!("http://{}", spare.address), Configs::default());
    let mut hasty = ParrotServiceClient::new(hasty.channel("parrot"));
    let mut patient = ParrotServiceClient::new(patient.channel("parrot"));

    let refused = hasty.act(Errand::default()).await.unwrap_err();
    let call = tokio::spawn(async move { patient.act(Errand::default()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _replica = Replica::start_at(spare.address).await;

    assert_eq!(refused.code(), Code::Unavailable);
    call.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_config_limits_time_and_sizes() {
    let policy =
        r#""timeout": "0.2s", "maxRequestMessageBytes": 100, "maxResponseMessageBytes": 10"#;
    let fleet = Fleet::start_with(1, &of_read(policy)).await;

    let long = fleet.client().read(saying(&"a".repeat(200))).await.unwrap_err();
    let answered = fleet.client().read(saying("")).await.unwrap_err();
    fleet.replicas[0].be(Mood::Mute);
    let late = fleet.client().read(saying("")).await.unwrap_err();

    assert_eq!(long.code(), Code::ResourceExhausted);
    assert_eq!(answered.code(), Code::ResourceExhausted, "a report says an address");
    assert_eq!(late.code(), Code::DeadlineExceeded);
}
