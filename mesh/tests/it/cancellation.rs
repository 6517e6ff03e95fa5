//! A caller that goes away ends what it asked for.

use mesh_testing::parrot::v1::{Deed, Errand};

use crate::asking::{ended, errand, in_flight};
use crate::shape::{Shape, eventually};

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_ends_the_handler() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut client = world.outside();
        let call = tokio::spawn(async move { client.act(errand(Deed::Wait)).await });
        world.parrot.until_running(1).await;

        call.abort();

        world.parrot.until_running(0).await;
        eventually(|| in_flight(&world.server) == 0).await;
        assert_eq!(ended(&world.server, "Act", "CANCELLED"), 1, "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_ends_the_calls_that_its_own_made() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut relay = world.relay();
        let call = tokio::spawn(async move { relay.pass(errand(Deed::Wait)).await });
        world.parrot.until_running(1).await;

        call.abort();

        world.parrot.until_running(0).await;
        eventually(|| in_flight(&world.server) == 0 && in_flight(&world.caller) == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_let_go_of_ends_its_handler() {
    for shape in Shape::ALL {
        for (deed, status) in [(Deed::Wait, "CANCELLED"), (Deed::Chatter, "CANCELLED")] {
            let world = shape.start().await;
            let asked = Errand { reports: 1, ..errand(deed) };
            let mut stream = world.outside().chatter(asked).await.unwrap().into_inner();
            stream.message().await.unwrap().unwrap();

            drop(stream);

            world.parrot.until_running(0).await;
            eventually(|| in_flight(&world.server) == 0).await;
            assert_eq!(ended(&world.server, "Chatter", status), 1, "{shape:?} {deed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_stops_sending_in_the_middle_ends_the_handler() {
    for shape in Shape::ALL {
        let world = shape.start().await;
        let mut client = world.outside();
        let call =
            tokio::spawn(
                async move { client.gather(futures_util::stream::pending::<Errand>()).await },
            );
        world.parrot.until_running(1).await;

        call.abort();

        world.parrot.until_running(0).await;
        eventually(|| in_flight(&world.server) == 0).await;
    }
}
