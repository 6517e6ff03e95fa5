//! Deadlines: the earliest holds, on both sides, to the end of the answer.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use mesh::{Caller, Code, Context, Status};
use mesh_testing::parrot::v1::Deed;
use tokio::time::{Instant, advance};
use tonic::body::Body;
use tower::ServiceExt;
use tracing::Span;

use crate::asking::{ACT, ended, errand, framed, in_flight, reason, send, with};
use crate::shape::{Shape, eventually};

fn service() -> Context {
    Context::new(Caller::service("caller", "harbour", None), "test", Span::none())
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Whether a time is as long as it should be, less what is kept back for the way home.
fn is_about(elapsed: Duration, expected: Duration) -> bool {
    let slack = Duration::from_millis(60);
    elapsed <= expected + slack && elapsed + slack >= expected
}

#[tokio::test(start_paused = true)]
async fn an_expired_deadline_is_told_as_such_on_both_sides() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut request = with(errand(Deed::Wait), &[]);
        request.set_timeout(seconds(1));

        let status = world.outside().act(request).await.unwrap_err();

        assert_eq!(status.code(), Code::DeadlineExceeded, "{shape:?}");
        assert_eq!(reason(&status), "DEADLINE_EXCEEDED", "{shape:?}");
        world.parrot.until_running(0).await;
        eventually(|| in_flight(&world.server) == 0).await;
        assert_eq!(ended(&world.server, "Act", "DEADLINE_EXCEEDED"), 1, "{shape:?}");
        assert_eq!(ended(&world.server, "Act", "CANCELLED"), 0, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_earliest_of_the_contracts_the_callers_and_the_contexts_deadline_holds() {
    // The contract says 5 s: what the context leaves, what the request asks, what holds.
    let cases = [
        (None, None, seconds(5)),
        (None, Some(seconds(60)), seconds(5)),
        (None, Some(seconds(1)), seconds(1)),
        (Some(seconds(2)), None, seconds(2)),
        (Some(seconds(2)), Some(seconds(60)), seconds(2)),
        (Some(seconds(2)), Some(seconds(1)), seconds(1)),
        (Some(seconds(60)), None, seconds(5)),
    ];
    for shape in Shape::ALL {
        let world = shape.start().await;
        let calls = cases.map(|(left, asked, expected)| {
            let context = match left {
                Some(left) => service().until(Instant::now() + left),
                None => service(),
            };
            let mut request = with(errand(Deed::Wait), &[]);
            if let Some(asked) = asked {
                request.set_timeout(asked);
            }
            let mut client = world.of(&context);
            async move {
                let begun = Instant::now();
                let status = client.act(request).await.unwrap_err();
                (left, asked, expected, status.code(), begun.elapsed())
            }
        });

        for (left, asked, expected, code, took) in join_all(calls).await {
            assert_eq!(code, Code::DeadlineExceeded, "{shape:?} {left:?} {asked:?}");
            assert!(is_about(took, expected), "{shape:?} {left:?} {asked:?}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_always_has_more_ends_at_its_deadline() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut stream = world.outside().chatter(errand(Deed::Chatter)).await.unwrap().into_inner();
        stream.message().await.unwrap().unwrap();

        advance(seconds(6)).await;
        let status = loop {
            match stream.message().await {
                Ok(report) => assert!(report.is_some(), "{shape:?}: it ended well"),
                Err(status) => break status,
            }
        };

        assert_eq!(status.code(), Code::DeadlineExceeded, "{shape:?}");
        world.parrot.until_running(0).await;
        eventually(|| in_flight(&world.server) == 0).await;
        assert_eq!(ended(&world.server, "Chatter", "DEADLINE_EXCEEDED"), 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_nothing_to_say_ends_at_its_deadline() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let begun = Instant::now();
        let mut stream = world.outside().chatter(errand(Deed::Wait)).await.unwrap().into_inner();

        let status = stream.message().await.unwrap_err();

        assert_eq!(status.code(), Code::DeadlineExceeded, "{shape:?}");
        assert!(is_about(begun.elapsed(), seconds(5)), "{shape:?}: {:?}", begun.elapsed());
        world.parrot.until_running(0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_lets_its_handler_go_at_its_deadline() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let begun = Instant::now();
        let unread = world.outside().chatter(errand(Deed::Chatter)).await.unwrap();
        world.parrot.until_running(1).await;

        world.parrot.until_running(0).await;

        assert!(is_about(begun.elapsed(), seconds(5)), "{shape:?}: {:?}", begun.elapsed());
        drop(unread);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_call_gets_what_is_left() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let context = service().until(Instant::now() + seconds(3));
        advance(seconds(1)).await;
        let mut request = with(errand(Deed::Unspecified), &[]);
        request.set_timeout(seconds(2));

        let report = world.of(&context).act(errand(Deed::Unspecified)).await.unwrap().into_inner();
        let passed_on = world.relay().pass(request).await.unwrap().into_inner();

        for report in [report, passed_on] {
            let left = Duration::from_millis(report.remaining_ms.unwrap());
            assert!(left <= seconds(2) && is_about(left, seconds(2)), "{shape:?}: {left:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_arrives_too_late_reaches_no_handler() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let body = framed(&errand(Deed::Unspecified));
        let context = service().until(Instant::now());

        let told = send(world.stranger().await, ACT, &[("grpc-timeout", "0n")], body).await;
        let status = world.of(&context).act(errand(Deed::Unspecified)).await.unwrap_err();

        assert_eq!(told.status().code(), Code::DeadlineExceeded, "{shape:?}");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{shape:?}");
        assert_eq!(world.parrot.calls(), 0, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_cannot_be_read_is_refused() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let body = framed(&errand(Deed::Unspecified));

        let told = send(world.stranger().await, ACT, &[("grpc-timeout", "5 s")], body).await;

        assert_eq!(told.status().code(), Code::InvalidArgument, "{shape:?}");
        assert_eq!(reason(&told.status()), "MALFORMED_TIMEOUT", "{shape:?}");
        assert_eq!(world.parrot.calls(), 0, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_comes_to_its_end_is_waited_for_until_the_deadline() {
    let paths = [ACT, "/parrot.v1.ParrotService/Recall", "/parrot.v1.ParrotService/Gather"];
    for shape in Shape::ALL {
        let world = shape.start().await;
        for path in paths {
            let begun = Instant::now();
            let endless = stream::pending::<Result<Frame<Bytes>, Status>>();
            let request = http::Request::post(path)
                .header("content-type", "application/grpc")
                .body(Body::new(StreamBody::new(endless)))
                .unwrap();

            let response = world.stranger().await.oneshot(request).await;

            let headers = response.unwrap().into_parts().0.headers;
            assert_eq!(headers["grpc-status"], "4", "{shape:?} {path}");
            assert!(is_about(begun.elapsed(), seconds(5)), "{shape:?} {path}");
        }
    }
}
