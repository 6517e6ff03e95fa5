//! One trace from the first call to the last, as a collector sees it.

use mesh_testing::otlp::metrics::{Data, Value};
use mesh_testing::otlp::status::StatusCode;
use mesh_testing::otlp::{Span, hex, text};
use mesh_testing::parrot::v1::Deed;
use mesh_testing::parrot::v1::Errand;
use tonic::Code;

use crate::asking::{ACT, errand, framed, saying, send, with};
use crate::fleet::{Fleet, Mood};
use crate::receiver::Receiver;
use crate::shape::Shape;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// The one span of a name.
fn of<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("{name} has {} spans", found.len()) };
    span
}

/// How one span comes to another, from the first to the last, each a child of the one before.
fn chain<'a>(spans: &'a [Span], names: &[&str]) -> Vec<&'a Span> {
    let chain: Vec<_> = names.iter().map(|name| of(spans, name)).collect();
    for pair in chain.windows(2) {
        assert_eq!(
            pair[1].parent_span_id, pair[0].span_id,
            "{} and {}",
            pair[0].name, pair[1].name
        );
    }
    chain
}

#[tokio::test(start_paused = true)]
async fn a_call_is_one_span_under_its_callers() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(1.0);
        let world = shape.start().await;
        let headers = [("traceparent", traceparent("01"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));

        let way = world.stranger().await;
        let answer = send(way, ACT, &headers, framed(&errand(Deed::Refuse))).await;
        let spans = receiver.end().await;

        assert_eq!(answer.headers["trace-id"], TRACE, "{shape:?}");
        assert_eq!(spans.len(), 1, "{shape:?}: {spans:?}");
        let span = of(&spans, "Recv.parrot.v1.ParrotService.Act");
        assert_eq!(hex(&span.trace_id), TRACE, "{shape:?}");
        assert_eq!(hex(&span.parent_span_id), PARENT, "{shape:?}");
        assert_eq!(text(&span.attributes, "grpc.status"), "FAILED_PRECONDITION", "{shape:?}");
        assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Error, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_leads_to_its_trace_where_that_is_kept() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(0.0);
        let world = shape.start().await;
        let mut pages = Vec::new();

        for flags in ["00", "01"] {
            let told = traceparent(flags);
            let asked = framed(&errand(Deed::Refuse));
            send(world.stranger().await, ACT, &[("traceparent", &told)], asked).await;
            pages.push(world.server.metrics().page());
        }
        receiver.end().await;

        let leading = |page: &str| {
            let begins = "grpc_server_call_duration_seconds_bucket{";
            let leads = format!(" # {{trace_id=\"{TRACE}\"}} ");
            let lines = page.lines().filter(|line| line.starts_with(begins));
            lines.filter(|line| line.contains(&leads)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(leading(&pages[0]), Vec::<String>::new(), "{shape:?}");
        let leading = leading(&pages[1]);
        assert_eq!(leading.len(), 1, "{shape:?}: {leading:?}");
        assert!(leading[0].contains("ParrotService/Act"), "{leading:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_makes_another_is_its_parent() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(1.0);
        let world = shape.start().await;
        let request = with(saying(""), &[("traceparent", &traceparent("01"))]);

        let answer = world.relay().pass(request).await.unwrap();
        let spans = receiver.end().await;

        assert_eq!(answer.metadata().get("trace-id").unwrap(), TRACE, "{shape:?}");
        let names: &[&str] = match shape {
            // A function call has no tries.
            Shape::Near => {
                &["Recv.parrot.v1.RelayService.Pass", "Recv.parrot.v1.ParrotService.Act"]
            }
            Shape::Far => &[
                "Recv.parrot.v1.RelayService.Pass",
                "Sent.parrot.v1.ParrotService.Act",
                "Attempt.parrot.v1.ParrotService.Act",
                "Recv.parrot.v1.ParrotService.Act",
            ],
        };
        assert_eq!(spans.len(), names.len(), "{shape:?}: {spans:?}");
        let chain = chain(&spans, names);
        assert_eq!(hex(&chain[0].parent_span_id), PARENT, "{shape:?}");
        assert!(chain.iter().all(|span| hex(&span.trace_id) == TRACE), "{shape:?}");
        let act = chain.last().unwrap();
        assert_eq!(text(&act.attributes, "caller"), "nobody", "{shape:?}");
        for span in chain {
            assert_eq!(text(&span.attributes, "grpc.status"), "OK", "{shape:?} {}", span.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_try_is_a_span_that_says_how_often_it_was_tried_before() {
    let receiver = Receiver::start(1.0);
    let fleet = Fleet::start(1).await;
    fleet.replicas[0].be(Mood::Refusing(Code::Unavailable, None));
    let asked = with(saying(""), &[("traceparent", &traceparent("01"))]);

    fleet.client().read(asked).await.unwrap_err();
    let spans = receiver.end().await;

    let sent = of(&spans, "Sent.parrot.v1.ParrotService.Read");
    assert_eq!(hex(&sent.parent_span_id), PARENT);
    assert_eq!(text(&sent.attributes, "grpc.status"), "UNAVAILABLE");
    let tries: Vec<_> = spans.iter().filter(|span| span.name.starts_with("Attempt.")).collect();
    assert!(tries.iter().all(|span| span.parent_span_id == sent.span_id), "{tries:?}");
    let say = |key| tries.iter().map(|span| text(&span.attributes, key)).collect::<Vec<_>>();
    assert_eq!(say("previous-rpc-attempts"), ["0", "1", "2", "3"]);
    assert_eq!(say("transparent-retry"), ["false"; 4]);
    // Whoever was tried has the span of its own try for a parent.
    let seen = fleet.replicas[0].header("traceparent");
    let told = tries.iter().map(|span| Some(format!("00-{TRACE}-{}-01", hex(&span.span_id))));
    assert_eq!(seen, told.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_kept_carries_its_trace_on() {
    let receiver = Receiver::start(0.0);
    let fleet = Fleet::start(1).await;
    let asked = with(saying(""), &[("traceparent", &traceparent("00"))]);

    fleet.client().act(asked).await.unwrap();
    fleet.client().act(saying("")).await.unwrap();
    let spans = receiver.end().await;

    assert!(spans.is_empty(), "{spans:?}");
    let seen = fleet.replicas[0].header("traceparent").into_iter().map(Option::unwrap);
    let seen: Vec<_> =
        seen.map(|it| it.split('-').map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!((seen[0][1].as_str(), seen[0][3].as_str()), (TRACE, "00"));
    assert_eq!((seen[1][1].len(), seen[1][3].as_str()), (32, "00"));
    assert_ne!(seen[1][1], TRACE);
}

#[tokio::test(start_paused = true)]
async fn where_no_spans_are_kept_the_callers_span_goes_on_as_the_parent() {
    let fleet = Fleet::start(1).await;

    fleet.client().act(with(saying(""), &[("traceparent", &traceparent("01"))])).await.unwrap();
    fleet.client().act(saying("")).await.unwrap();

    // Whoever answers may keep spans, and decides.
    assert_eq!(fleet.replicas[0].header("traceparent"), [Some(traceparent("01")), None]);
}

#[tokio::test(start_paused = true)]
async fn what_is_logged_has_the_ids_of_its_call_kept_or_not() {
    for flags in ["00", "01"] {
        let receiver = Receiver::logging(0.0, "off,mesh=debug");
        let world = Shape::Near.start().await;
        let headers = [("traceparent", traceparent(flags))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));

        let way = world.stranger().await;
        send(way, ACT, &headers, framed(&errand(Deed::Fail))).await;
        let collector = receiver.all().await;

        let logs = collector.logs();
        assert!(!logs.is_empty());
        assert!(logs.iter().all(|log| hex(&log.said.trace_id) == TRACE), "{logs:?}");
        let spans = collector.spans();
        let kept: Vec<_> = spans.iter().map(|span| span.said.span_id.clone()).collect();
        assert!(kept.is_empty() || logs.iter().all(|log| log.said.span_id == kept[0]), "{logs:?}");
        assert_eq!(kept.len(), usize::from(flags == "01"));
        let failed = logs.iter().find(|log| log.said.severity_text == "ERROR").unwrap();
        assert_eq!(text(&failed.said.attributes, "code"), "DATA_LOSS");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_is_sent_as_the_process_that_counts_it() {
    let mut receiver = Receiver::start(0.0);
    let world = Shape::Near.start().await;
    receiver.telemetry.count(world.server.metrics());

    world.outside().act(errand(Deed::Refuse)).await.unwrap_err();
    let collector = receiver.all().await;

    let metrics = collector.metrics();
    let started = metrics.iter().find(|it| it.said.name == "grpc.server.call.started").unwrap();
    assert_eq!(started.service(), "test");
    assert_eq!(text(&started.resource, "service.namespace"), "tradewind");
    assert_eq!(text(&started.resource, "service.instance.id").len(), 36);
    let Some(Data::Sum(started)) = &started.said.data else { panic!("{started:?}") };
    let act = started
        .data_points
        .iter()
        .find(|point| text(&point.attributes, "grpc.method") == "parrot.v1.ParrotService/Act");
    assert_eq!(act.unwrap().value, Some(Value::AsDouble(1.0)));
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
        let receiver = Receiver::start(1.0);
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
        let receiver = Receiver::start(0.0);
        let world = shape.start().await;
        let asked = with(saying(""), &[("traceparent", &traceparent("01"))]);

        let unsampled = world.relay().pass(saying("")).await.unwrap();
        world.relay().pass(asked).await.unwrap();
        let spans = receiver.end().await;

        assert!(unsampled.metadata().contains_key("trace-id"), "{shape:?}");
        assert_eq!(spans.len(), if shape == Shape::Near { 2 } else { 4 }, "{shape:?}: {spans:?}");
        assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_does_not_sample_is_followed_too() {
    for shape in Shape::ALL {
        let receiver = Receiver::start(1.0);
        let world = shape.start().await;
        let asked = with(saying(""), &[("traceparent", &traceparent("00"))]);

        let answer = world.relay().pass(asked).await.unwrap();
        let spans = receiver.end().await;

        assert_eq!(answer.metadata().get("trace-id").unwrap(), TRACE, "{shape:?}");
        assert!(spans.is_empty(), "{shape:?}: {spans:?}");
    }
}
