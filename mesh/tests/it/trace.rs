//! One trace from the first call to the last, as a collector sees it.

use mesh_testing::parrot::v1::Deed;
use mesh_testing::parrot::v1::Errand;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::asking::{ACT, errand, framed, saying, send, with};
use crate::receiver::{Receiver, attribute, hex};
use crate::shape::Shape;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// The one span of an RPC.
fn of<'a>(spans: &'a [Span], rpc: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name.ends_with(rpc));
    let (span, more) = (found.next().unwrap(), found.next());
    assert!(more.is_none(), "{rpc} has several spans");
    span
}

#[tokio::test(start_paused = true)]
async fn a_call_is_one_span_under_its_callers() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(1.0).await;
        let world = shape.start().await;
        let headers = [("traceparent", traceparent("01"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));

        let way = world.stranger().await;
        let answer = send(way, ACT, &headers, framed(&errand(Deed::Refuse))).await;
        let spans = receiver.end().await;

        assert_eq!(answer.headers["trace-id"], TRACE, "{shape:?}");
        assert_eq!(spans.len(), 1, "{shape:?}: {spans:?}");
        let span = of(&spans, "parrot.v1.ParrotService/Act");
        assert_eq!(hex(&span.trace_id), TRACE, "{shape:?}");
        assert_eq!(hex(&span.parent_span_id), PARENT, "{shape:?}");
        assert_eq!(attribute(span, "grpc.status"), "FAILED_PRECONDITION", "{shape:?}");
        assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Error, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_makes_another_is_its_parent() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(1.0).await;
        let world = shape.start().await;
        let request = with(saying(""), &[("traceparent", &traceparent("01"))]);

        let answer = world.relay().pass(request).await.unwrap();
        let spans = receiver.end().await;

        assert_eq!(answer.metadata().get("trace-id").unwrap(), TRACE, "{shape:?}");
        let (pass, act) = (of(&spans, "RelayService/Pass"), of(&spans, "ParrotService/Act"));
        assert_eq!(spans.len(), 2, "{shape:?}: {spans:?}");
        assert_eq!(hex(&pass.parent_span_id), PARENT, "{shape:?}");
        assert_eq!(act.parent_span_id, pass.span_id, "{shape:?}");
        assert_eq!((hex(&pass.trace_id), hex(&act.trace_id)), (TRACE.into(), TRACE.into()));
        assert_eq!(attribute(act, "caller"), "nobody", "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_traceparent_that_cannot_be_read_begins_a_new_trace() {
    let twice = traceparent("01");
    let wrong = [
        vec![("traceparent", "00-xyz-1-01")],
        vec![("traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")],
        vec![("traceparent", twice.as_str()), ("traceparent", twice.as_str())],
        vec![],
    ];
    for shape in Shape::ALL {
        let receiver = Receiver::start(1.0).await;
        let world = shape.start().await;

        for headers in &wrong {
            let way = world.stranger().await;
            let answer = send(way, ACT, headers, framed(&Errand::default())).await;
            assert_eq!(answer.headers["trace-id"].len(), 32, "{shape:?} {headers:?}");
        }
        let spans = receiver.end().await;

        assert_eq!(spans.len(), wrong.len(), "{shape:?}");
        let mut traces: Vec<_> = spans.iter().map(|span| hex(&span.trace_id)).collect();
        traces.sort();
        traces.dedup();
        assert_eq!(traces.len(), wrong.len(), "{shape:?}: one trace for several");
        assert!(!traces.contains(&TRACE.to_owned()), "{shape:?}");
        assert!(spans.iter().all(|span| span.parent_span_id.is_empty()), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sampled_is_not_sent_and_a_caller_who_samples_is_followed() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(0.0).await;
        let world = shape.start().await;
        let asked = with(saying(""), &[("traceparent", &traceparent("01"))]);

        let unsampled = world.relay().pass(saying("")).await.unwrap();
        world.relay().pass(asked).await.unwrap();
        let spans = receiver.end().await;

        assert!(unsampled.metadata().contains_key("trace-id"), "{shape:?}");
        assert_eq!(spans.len(), 2, "{shape:?}: {spans:?}");
        assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_does_not_sample_is_followed_too() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(1.0).await;
        let world = shape.start().await;
        let asked = with(saying(""), &[("traceparent", &traceparent("00"))]);

        let answer = world.relay().pass(asked).await.unwrap();
        let spans = receiver.end().await;

        assert_eq!(answer.metadata().get("trace-id").unwrap(), TRACE, "{shape:?}");
        assert!(spans.is_empty(), "{shape:?}: {spans:?}");
    }
}
