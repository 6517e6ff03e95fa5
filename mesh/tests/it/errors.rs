//! Failures: each with a reason and a domain, none longer than headers may be, none of another call.

use mesh::{Code, Status};
use mesh_testing::parrot::v1::silent_service_client::SilentServiceClient;
use mesh_testing::parrot::v1::{Deed, Errand};
use tonic_types::StatusExt;

use crate::asking::{ACT, Answer, errand, framed, reason, saying, send};
use crate::parrot::{DOMAIN, REASON};
use crate::shape::{Shape, World};

const CHATTER: &str = "/parrot.v1.ParrotService/Chatter";

fn domain(status: &Status) -> String {
    status.get_details_error_info().unwrap().domain
}

/// How a stream ends after its reports.
async fn end_of_stream(world: &World, errand: Errand) -> (u32, Status) {
    let mut stream = world.outside().chatter(errand).await.unwrap().into_inner();
    let mut reports = 0;
    loop {
        match stream.message().await {
            Ok(Some(_)) => reports += 1,
            Ok(None) => panic!("it ended well"),
            Err(status) => return (reports, status),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_says_of_a_failure_arrives() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        let status = world.outside().act(errand(Deed::Refuse)).await.unwrap_err();
        let (_, streamed) = end_of_stream(&world, errand(Deed::Refuse)).await;

        for status in [status, streamed] {
            assert_eq!(status.code(), Code::FailedPrecondition, "{shape:?}");
            assert_eq!(status.message(), "not today", "{shape:?}");
            assert_eq!((reason(&status).as_str(), domain(&status).as_str()), (REASON, DOMAIN));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_without_a_reason_gets_one() {
    for shape in Shape::ALL {
        let world = shape.start().await;

        let status = world.outside().act(errand(Deed::Fail)).await.unwrap_err();
        let (_, streamed) = end_of_stream(&world, errand(Deed::Fail)).await;

        for status in [status, streamed] {
            assert_eq!(status.code(), Code::DataLoss, "{shape:?}");
            assert_eq!(status.message(), "the cage is empty", "{shape:?}");
            assert_eq!(reason(&status), "DATA_LOSS", "{shape:?}");
            assert_eq!(domain(&status), "mesh.tradewind", "{shape:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_reaches_a_handler_is_refused_with_a_reason() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let way = world.stranger().await;
        let body = framed(&saying("hello"));
        let compressed = [&[1], &body[1..]].concat();
        let gzip = [("grpc-encoding", "gzip")];

        let unknown = send(way.clone(), "/parrot.v1.ParrotService/Sing", &[], body.clone()).await;
        let elsewhere = send(way.clone(), "/parrot.v1.SilentService/Act", &[], body.clone()).await;
        let empty = send(way.clone(), ACT, &[], Vec::new()).await;
        let encoded = send(way.clone(), ACT, &gzip, compressed.clone()).await;
        let unsaid = send(way.clone(), ACT, &[], compressed).await;
        let several = send(way.clone(), ACT, &[], body.repeat(2)).await;
        let flagged = send(way, ACT, &[], [&[9], &body[1..]].concat()).await;

        let told = [
            (unknown, Code::Unimplemented, "UNKNOWN_METHOD"),
            (elsewhere, Code::Unimplemented, "UNKNOWN_METHOD"),
            (empty, Code::Unimplemented, "NOT_ONE_MESSAGE"),
            (several, Code::Unimplemented, "NOT_ONE_MESSAGE"),
            (encoded, Code::Unimplemented, "UNIMPLEMENTED"),
            (unsaid, Code::Internal, "INTERNAL"),
            (flagged, Code::Internal, "INTERNAL"),
        ];
        for (answer, code, expected) in told {
            let status = answer.status();
            assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{shape:?}");
        }
        assert_eq!(world.parrot.calls(), 0, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_nowhere_is_unavailable() {
    let world = Shape::Far.start().await;

    let status =
        SilentServiceClient::new(world.caller.channel("parrot")).act(saying("")).await.unwrap_err();

    assert_eq!(reason(&status), "UNKNOWN_METHOD");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_call_alone() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let waiting = tokio::spawn({
            let mut client = world.outside();
            async move { client.act(errand(Deed::Wait)).await }
        });
        world.parrot.until_running(1).await;
        let breaking = Errand { reports: 3, ..errand(Deed::Panic) };

        let status = world.outside().act(errand(Deed::Panic)).await.unwrap_err();
        let (reports, streamed) = end_of_stream(&world, breaking).await;
        world.parrot.release();

        for status in [status, streamed] {
            assert_eq!(status.code(), Code::Internal, "{shape:?}");
            assert_eq!(reason(&status), "PANIC", "{shape:?}");
            assert!(!status.message().contains("asked to"), "{shape:?}: {}", status.message());
        }
        assert_eq!(reports, 3, "{shape:?}");
        waiting.await.unwrap().unwrap();
        world.outside().act(errand(Deed::Unspecified)).await.unwrap();
    }
}

fn holds_in_headers(answer: &Answer) -> bool {
    answer.header_bytes() < 8 << 10
}

#[tokio::test(start_paused = true)]
async fn a_failure_with_much_to_say_keeps_its_reason_and_fits_into_headers() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let lament = framed(&errand(Deed::Lament));

        let unary = send(world.stranger().await, ACT, &[], lament.clone()).await;
        let streamed = send(world.stranger().await, CHATTER, &[], lament).await;
        let through_the_mesh = world.outside().act(errand(Deed::Lament)).await.unwrap_err();

        assert!(holds_in_headers(&unary), "{shape:?}: {} bytes", unary.header_bytes());
        assert!(holds_in_headers(&streamed), "{shape:?}: {} bytes", streamed.header_bytes());
        for status in [unary.status(), streamed.status(), through_the_mesh] {
            assert_eq!(status.code(), Code::FailedPrecondition, "{shape:?}");
            assert!(status.message().starts_with("ßßß"), "{shape:?}");
            assert_eq!(reason(&status), REASON, "{shape:?}");
            let after = status.get_details_retry_info().unwrap().retry_delay;
            assert_eq!(after, Some(std::time::Duration::from_secs(7)), "{shape:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_sends_does_not_make_headers_too_long_either() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let way = world.stranger().await;
        let wordy = Errand { words: vec!["too long".into(); 5000], ..Errand::default() };
        let long = "%C3%9F".repeat(1000);
        let path = format!("/parrot.v1.ParrotService/{long}");

        let invalid = send(way.clone(), ACT, &[], framed(&wordy)).await;
        let unknown = send(way.clone(), &path, &[], Vec::new()).await;
        let untimely = send(way, ACT, &[("grpc-timeout", &long)], Vec::new()).await;

        for (answer, expected) in [
            (invalid, "INVALID_REQUEST"),
            (unknown, "UNKNOWN_METHOD"),
            (untimely, "MALFORMED_TIMEOUT"),
        ] {
            assert!(holds_in_headers(&answer), "{shape:?} {expected}: {}", answer.header_bytes());
            assert_eq!(reason(&answer.status()), expected, "{shape:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_list_of_faults_is_cut_and_not_left_out() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let wordy = Errand { words: vec!["too long".into(); 5000], ..Errand::default() };

        let status = world.outside().act(wordy).await.unwrap_err();

        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "words[0]", "{shape:?}");
        assert!((5..100).contains(&violations.len()), "{shape:?}: {}", violations.len());
    }
}
