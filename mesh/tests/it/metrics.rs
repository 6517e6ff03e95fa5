//! What is counted: each call once, by its RPC and its outcome.

use std::time::Duration;

use mesh_testing::parrot::v1::{Deed, Errand};

use crate::asking::{ended, errand, framed, in_flight, metric, saying, send, with};
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
async fn what_is_not_in_a_contract_makes_no_series() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let way = world.stranger().await;
        send(way.clone(), "/parrot.v1.ParrotService/Read", &[], framed(&saying(""))).await;
        let series = || world.server.metrics().page().lines().count();
        let before = series();

        for number in 0..20 {
            let path = format!("/parrot.v1.ParrotService/Sing{number}");
            send(way.clone(), &path, &[], framed(&saying(""))).await;
            send(way.clone(), &format!("/{number}"), &[], Vec::new()).await;
        }

        assert_eq!(series(), before, "{shape:?}");
        assert!(!world.server.metrics().page().contains("Sing"), "{shape:?}");
    }
}
