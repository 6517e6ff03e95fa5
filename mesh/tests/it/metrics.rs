//! What is counted: each call once, by its RPC and its outcome.

use std::time::Duration;

use mesh_testing::parrot::v1::{Deed, Errand};
use prost::Message;
use tonic::Code;

use crate::asking::{ended, errand, framed, in_flight, metric, saying, send, with};
use crate::fleet::{Fleet, Mood};
use crate::shape::{Shape, eventually};

const STARTED: &str = "grpc_server_call_started_total{grpc_method=\"parrot.v1.ParrotService/Act\"}";

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_once_by_its_outcome_and_is_in_flight_no_longer() {
    let deeds = [
        (Deed::Unspecified, "OK"),
        (Deed::Refuse, "FAILED_PRECONDITION"),
        (Deed::Fail, "DATA_LOSS"),
        (Deed::Panic, "INTERNAL"),
        (Deed::Wait, "DEADLINE_EXCEEDED"),
    ];
    for shape in Shape::ALL {
        let world = shape.start().await;

        for (deed, _) in deeds {
            let _ = world.outside().act(errand(deed)).await;
            let stream = world.outside().chatter(Errand { reports: 2, ..errand(deed) }).await;
            let mut stream = stream.unwrap().into_inner();
            while let Ok(Some(_)) = stream.message().await {}
        }

        eventually(|| in_flight(&world.server) == 0).await;
        assert_eq!(metric(&world.server, STARTED), 5, "{shape:?}");
        for (deed, status) in deeds {
            assert_eq!(ended(&world.server, "Act", status), 1, "{shape:?} {deed:?}");
            assert_eq!(ended(&world.server, "Chatter", status), 1, "{shape:?} {deed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_in_flight_until_its_answer_has_ended() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let asked = Errand { reports: 1, ..errand(Deed::Wait) };
        let mut stream = world.outside().chatter(asked).await.unwrap().into_inner();
        stream.message().await.unwrap().unwrap();

        let during = in_flight(&world.server);
        world.parrot.release();
        let end = stream.message().await.unwrap();

        assert_eq!((during, end), (1, None), "{shape:?}");
        drop(stream);
        eventually(|| in_flight(&world.server) == 0).await;
        assert_eq!(ended(&world.server, "Chatter", "OK"), 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_is_that_until_its_end() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut request = with(errand(Deed::Wait), &[]);
        request.set_timeout(Duration::from_secs(2));

        world.outside().act(request).await.unwrap_err();

        eventually(|| in_flight(&world.server) == 0).await;
        let bucket = |limit| {
            let line = format!(
                "grpc_server_call_duration_seconds_bucket{{le=\"{limit}\",grpc_method=\"parrot.v1.ParrotService/Act\",grpc_status=\"DEADLINE_EXCEEDED\"}}"
            );
            metric(&world.server, &line)
        };
        assert_eq!((bucket("1.0"), bucket("5.0")), (0, 1), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_no_contract_is_counted_as_other_whatever_it_is_called() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let way = world.stranger().await;
        send(way.clone(), "/parrot.v1.ParrotService/Read", &[], framed(&saying(""))).await;
        send(way.clone(), "/parrot.v1.ParrotService/Sing", &[], framed(&saying(""))).await;
        let series = || world.server.metrics().page().lines().count();
        let before = series();

        for number in 0..20 {
            let path = format!("/parrot.v1.ParrotService/Sing{number}");
            send(way.clone(), &path, &[], framed(&saying(""))).await;
            send(way.clone(), &format!("/{number}"), &[], Vec::new()).await;
        }

        assert_eq!(series(), before, "{shape:?}");
        assert!(!world.server.metrics().page().contains("Sing"), "{shape:?}");
        let other = "grpc_server_call_started_total{grpc_method=\"other\"}";
        assert_eq!(metric(&world.server, other), 41, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sizes_are_those_of_the_messages_alone_on_both_sides() {
    let world = Shape::Far.start().await;
    let mut sent = Errand { padding: 5000, ..saying("ahoy") };
    sent.text = "a".repeat(2000);
    let asked = u64::try_from(sent.encoded_len()).unwrap();

    let answer = world.outside().act(sent).await.unwrap().into_inner();
    let answered = u64::try_from(answer.encoded_len()).unwrap();

    eventually(|| in_flight(&world.server) == 0).await;
    let sum = |mesh, name: &str, labels: &str| {
        metric(mesh, &format!("{name}_bytes_sum{{{labels}grpc_status=\"OK\"}}"))
    };
    let act = "grpc_method=\"parrot.v1.ParrotService/Act\",";
    let of_server = |way| {
        let name = format!("grpc_server_call_{way}_total_compressed_message_size");
        sum(&world.server, &name, act)
    };
    let address = world.served.as_ref().unwrap().address;
    let of_target = format!("{act}grpc_target=\"dns:///{address}\",");
    let of_client = |way| {
        let name = format!("grpc_client_attempt_{way}_total_compressed_message_size");
        sum(&world.caller, &name, &of_target)
    };
    assert_eq!((of_server("rcvd"), of_server("sent")), (asked, answered));
    assert_eq!((of_client("sent"), of_client("rcvd")), (asked, answered));
}

#[tokio::test(start_paused = true)]
async fn a_call_and_its_tries_are_counted_apart() {
    let fleet = Fleet::start(1).await;
    fleet.replicas[0].be(Mood::Refusing(Code::Unavailable, None));

    fleet.client().read(saying("")).await.unwrap_err();

    let labels = format!(
        "grpc_method=\"parrot.v1.ParrotService/Read\",grpc_target=\"static:{}\"",
        fleet.replicas[0].address
    );
    let count = |name: &str, more: &str| {
        metric(&fleet.mesh, &format!("grpc_client_{name}{{{labels}{more}}}"))
    };
    let failed = ",grpc_status=\"UNAVAILABLE\"";
    assert_eq!(count("attempt_started_total", ""), 4);
    assert_eq!(count("attempt_duration_seconds_count", failed), 4);
    assert_eq!(count("call_duration_seconds_count", failed), 1);
    assert_eq!(count("call_retries_sum", ""), 3);
    assert_eq!(count("call_retry_delay_seconds_count", ""), 1);
    assert_eq!(count("call_hedges_count", ""), 0);
}

#[tokio::test(start_paused = true)]
async fn connections_and_what_is_known_of_their_endpoints_are_shown() {
    let fleet = Fleet::start(1).await;
    fleet.call(20).await;
    let address = fleet.replicas[0].address;
    let target = format!("grpc_target=\"static:{address}\"");
    let counted = |name| metric(&fleet.mesh, &format!("grpc_subchannel_{name}{{{target}}}"));
    let said = |name| {
        let line = format!("mesh_endpoint_{name}{{{target},endpoint=\"{address}\"}}");
        metric(&fleet.mesh, &line)
    };
    let well = (counted("open_connections"), said("ready"), said("shut"));

    fleet.replicas[0].be(Mood::Refusing(Code::Unavailable, None));
    fleet.call(20).await;
    let refusing = (counted("open_connections"), said("ready"), said("shut"));
    fleet.replicas[0].die();
    eventually(|| counted("disconnections_total") == 1 && said("ready") == 0).await;

    assert_eq!((well, refusing), ((1, 1, 0), (1, 1, 1)));
    assert_eq!(counted("connection_attempts_succeeded_total"), 1);
    assert_eq!((counted("open_connections"), said("ejected")), (0, 0));
    eventually(|| counted("connection_attempts_failed_total") >= 1).await;
}
