//! Events that are kept: given up, decided upon, delivered again, and let go in the end.

use std::time::Duration;

use contract::mesh::v1::outbox_event::State;
use contract::mesh::v1::{ListOutboxEventsRequest, OutboxEvent};
use mesh::{Consumer as _, Context, Status};
use store::{List, Store, Tx};
use store_testing::Engine;

use crate::notes::{Label, Labelled, label};
use crate::world::{World, service, start, user};

async fn emit(store: &Store, key: &str, names: &[&str]) {
    for name in names {
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        tx.emit(key, Labelled { name: (*name).into() });
        tx.commit().await.unwrap();
    }
}

/// A service that keeps a label for each event; those that begin with `bad` it refuses.
async fn consumer(world: &World, name: &'static str) -> Store {
    let store = Store::open(world.config(name, world.database.open())).await.unwrap();
    world.bus.register("labels", store.consumer().on(keep));
    store
}

async fn keep(mut tx: Tx, _: Context, event: Labelled) -> Result<Tx, Status> {
    if event.name.starts_with("bad") {
        return Err(Status::invalid_argument("bad"));
    }
    tx.insert(label(event.name)).await?;
    Ok(tx)
}

async fn names(store: &Store) -> Vec<String> {
    let shop = service("shop");
    let labels = store.read(&shop).list::<Label>(&List::default()).await.unwrap().items;
    let mut names: Vec<_> = labels.into_iter().map(|label| label.name).collect();
    names.sort();
    names
}

async fn in_state(store: &Store, state: State) -> Vec<OutboxEvent> {
    let asked = ListOutboxEventsRequest { state: state.into(), ..Default::default() };
    store.outgoing_events(&service("shop"), &asked).await.unwrap().events
}

/// Lets an event be refused as often as it can be.
async fn give_up(world: &World, notes: &Store) {
    for _ in 0..20 {
        notes.idle().await.unwrap();
        world.clock.advance(Duration::from_mins(10));
    }
    notes.idle().await.unwrap();
}

#[tokio::test]
async fn an_event_refused_twenty_times_waits_for_a_person_and_holds_back_its_key_alone() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let labels = consumer(&world, "labels").await;
        emit(&notes, "first", &["a", "bad", "b"]).await;
        emit(&notes, "second", &["c"]).await;

        let running = start(notes.runner());
        give_up(&world, &notes).await;

        let dead = in_state(&notes, State::Dead).await;
        assert_eq!(dead.len(), 1, "{engine:?} {dead:?}");
        assert_eq!((dead[0].attempts, dead[0].consumer.as_str()), (20, "labels"), "{engine:?}");
        assert!(dead[0].error.contains("bad"), "{engine:?} {dead:?}");
        assert_eq!(in_state(&notes, State::Waiting).await.len(), 1, "{engine:?}");
        assert_eq!(names(&labels).await, ["a", "c"], "{engine:?}");
        // It is not tried any more, however long it is.
        world.clock.advance(Duration::from_hours(24 * 365));
        notes.idle().await.unwrap();
        assert_eq!(in_state(&notes, State::Dead).await[0].attempts, 20, "{engine:?}");

        // Discarded, it lets through what waits behind it.
        let discarded = notes.discard_event(&service("shop"), dead[0].position).await.unwrap();
        assert_eq!(discarded.id, dead[0].id, "{engine:?}");
        notes.idle().await.unwrap();
        running.stop().await;
        assert_eq!(names(&labels).await, ["a", "b", "c"], "{engine:?}");
    }
}

#[tokio::test]
async fn an_event_that_was_given_up_is_delivered_once_it_is_retried_and_can_be() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let labels = consumer(&world, "labels").await;
        emit(&notes, "key", &["bad", "b"]).await;
        let running = start(notes.runner());
        give_up(&world, &notes).await;
        let dead = in_state(&notes, State::Dead).await;

        // The consumer is mended.
        let mended = labels.consumer().on(|mut tx: Tx, _, event: Labelled| async move {
            tx.insert(label(event.name)).await?;
            Ok(tx)
        });
        world.bus.register("labels", mended);
        let retried = notes.retry_event(&service("shop"), dead[0].position).await.unwrap();
        assert_eq!((retried.state(), retried.attempts), (State::Waiting, 0), "{engine:?}");
        notes.idle().await.unwrap();
        running.stop().await;

        assert_eq!(names(&labels).await, ["b", "bad"], "{engine:?}");
        let delivered = notes.retry_event(&service("shop"), dead[0].position).await.unwrap();
        assert_eq!(delivered.state(), State::Delivered, "{engine:?}: it is left as it is");
    }
}

#[tokio::test]
async fn only_what_was_given_up_in_ones_own_project_is_discarded() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let _labels = consumer(&world, "labels").await;
        emit(&notes, "key", &["a"]).await;
        let position = in_state(&notes, State::Waiting).await[0].position;

        let waits = notes.discard_event(&service("shop"), position).await.unwrap_err();
        assert_eq!(Status::from(waits).code(), mesh::Code::FailedPrecondition, "{engine:?}");
        for refused in [
            notes.discard_event(&service("other"), position).await.unwrap_err(),
            notes.retry_event(&service("other"), position).await.unwrap_err(),
            notes.outgoing_event(&service("other"), position).await.unwrap_err(),
        ] {
            assert_eq!(Status::from(refused).code(), mesh::Code::NotFound, "{engine:?}");
        }
        assert_eq!(in_state(&notes, State::Waiting).await.len(), 1, "{engine:?}");
    }
}

#[tokio::test]
async fn a_consumer_restored_from_an_older_backup_has_again_what_it_has_lost() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let before = consumer(&world, "labels").await;
        let running = start(notes.runner());
        emit(&notes, "key", &["a"]).await;
        notes.idle().await.unwrap();
        world.clock.advance(Duration::from_hours(1));
        let backup = world.clock.now_micros();
        emit(&notes, "key", &["b", "c"]).await;
        notes.idle().await.unwrap();
        assert_eq!(names(&before).await, ["a", "b", "c"], "{engine:?}");

        // What was restored knows `a`, and that it has had it; of `b` and `c` it knows nothing.
        let restored = consumer(&world, "restored").await;
        for event in events_of(&notes, "a").await {
            restored.consumer().on(keep).consume(&user("ann"), &event).await.unwrap();
        }
        let replayed = notes.replay_events(&service("shop"), "labels", 0).await.unwrap();
        assert_eq!(replayed, 3, "{engine:?}");
        notes.idle().await.unwrap();
        assert_eq!(names(&restored).await, ["a", "b", "c"], "{engine:?}: each once");

        let replayed = notes.replay_events(&service("shop"), "labels", backup).await.unwrap();
        assert_eq!(replayed, 2, "{engine:?}: those that lie after the time");
        let others = notes.replay_events(&service("shop"), "others", 0).await.unwrap();
        assert_eq!(others, 0, "{engine:?}: those of the consumer");
        notes.idle().await.unwrap();
        running.stop().await;
        assert_eq!(names(&restored).await, ["a", "b", "c"], "{engine:?}: each once");
    }
}

/// The events of a name, as the consumer is handed them.
async fn events_of(notes: &Store, name: &str) -> Vec<contract::mesh::v1::Event> {
    let mut events = Vec::new();
    for listed in in_state(notes, State::Delivered).await {
        assert!(listed.data.is_empty(), "lists leave the data out");
        let event = notes.outgoing_event(&service("shop"), listed.position).await.unwrap();
        let told: Labelled = prost::Message::decode(event.data.as_slice()).unwrap();
        if told.name == name {
            events.push(contract::mesh::v1::Event {
                id: event.id,
                r#type: event.r#type,
                project: "shop".into(),
                data: event.data,
                ..Default::default()
            });
        }
    }
    events
}

#[tokio::test]
async fn delivered_events_are_let_go_after_a_while_and_waiting_ones_never() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let _labels = consumer(&world, "labels").await;
        emit(&notes, "first", &["a", "b"]).await;
        emit(&notes, "second", &["bad"]).await;
        let running = start(notes.runner());
        give_up(&world, &notes).await;
        assert_eq!(in_state(&notes, State::Delivered).await.len(), 2, "{engine:?}");

        world.clock.advance(Duration::from_hours(8 * 24));
        notes.idle().await.unwrap();
        running.stop().await;

        assert_eq!(in_state(&notes, State::Delivered).await, [], "{engine:?}");
        assert_eq!(in_state(&notes, State::Dead).await.len(), 1, "{engine:?}");
    }
}

#[tokio::test]
async fn lists_go_from_the_newest_back_in_pages() {
    let world = World::new(Engine::Sqlite).await;
    let notes = world.open().await;
    let _labels = consumer(&world, "labels").await;
    emit(&notes, "first", &["a", "b", "c"]).await;
    emit(&notes, "second", &["d"]).await;

    let mut asked = ListOutboxEventsRequest { page_size: 2, ..Default::default() };
    let first = notes.outgoing_events(&service("shop"), &asked).await.unwrap();
    asked.page_token = first.next_page_token;
    let last = notes.outgoing_events(&service("shop"), &asked).await.unwrap();

    let keys = |events: &[OutboxEvent]| -> Vec<_> {
        events.iter().map(|event| event.key.clone()).collect()
    };
    assert_eq!(keys(&first.events), ["second", "first"]);
    assert_eq!(
        (keys(&last.events), last.next_page_token.as_str()),
        (vec!["first".to_owned(), "first".to_owned()], "")
    );
    let asked = ListOutboxEventsRequest { key: "second".into(), ..Default::default() };
    assert_eq!(notes.outgoing_events(&service("shop"), &asked).await.unwrap().events.len(), 1);
}
