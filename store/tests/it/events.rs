//! Events: told once they are true, with one effect each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::mesh::v1::Event;
use mesh::{Consumer as _, Context, Status};
use prost::Message;
use store::{List, Store, Tx};
use store_testing::Engine;

use crate::notes::{Label, Labelled, label};
use crate::world::{Failure, World, service, start, user};

/// Emits events, one in each transaction.
async fn emit(store: &Store, key: &str, names: &[&str]) {
    for name in names {
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        tx.emit(key, Labelled { name: (*name).into() });
        tx.commit().await.unwrap();
    }
}

/// A service that keeps a label for each event, in the order of their ids.
async fn consumer(world: &World) -> Store {
    let store = Store::open(world.config("labels", world.database.open())).await.unwrap();
    let consumer = store.consumer().on(keep);
    world.bus.register("labels", consumer);
    store
}

async fn keep(mut tx: Tx, context: Context, event: Labelled) -> Result<Tx, Status> {
    assert_eq!(context.caller.subject(), Some("ann"));
    if event.name.starts_with("bad") {
        return Err(Status::invalid_argument("bad"));
    }
    tx.insert(label(event.name)).await?;
    Ok(tx)
}

async fn names(store: &Store) -> Vec<String> {
    let shop = service("shop");
    let mut names: Vec<_> = store.read(&shop).list::<Label>(&List::default()).await.unwrap().items;
    names.sort_by_key(|label| label.name.clone());
    names.into_iter().map(|label| label.name).collect()
}

#[tokio::test]
async fn an_event_has_its_effect_once_however_often_it_is_delivered() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let labels = consumer(&world).await;
        // Popped from the end: the first answers are lost, then nothing is reached for a while.
        *world.bus.failures.lock().unwrap() = vec![Failure::Unreachable, Failure::AnswerLost];
        emit(&notes, "key", &["a", "b", "c"]).await;

        let running = start(notes.runner());
        notes.idle().await.unwrap();
        running.stop().await;

        assert_eq!(names(&labels).await, ["a", "b", "c"], "{engine:?}");
        let shop = service("shop");
        let left = "SELECT id FROM store_outbox WHERE deliver_time IS NULL";
        let left = notes.read(&shop).unscoped(left).fetch_all();
        assert!(left.await.unwrap().is_empty(), "{engine:?}");
    }
}

#[tokio::test]
async fn an_event_of_a_transaction_that_was_rolled_back_is_never_told() {
    let world = World::new(Engine::Sqlite).await;
    let notes = world.open().await;
    let labels = consumer(&world).await;
    let mut tx = notes.begin_for(&user("ann")).await.unwrap();
    tx.emit("key", Labelled { name: "a".into() });
    drop(tx);

    let running = start(notes.runner());
    notes.idle().await.unwrap();
    running.stop().await;

    assert!(names(&labels).await.is_empty());
}

#[tokio::test]
async fn later_events_wait_behind_a_refused_one_of_their_key_and_others_go_on() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let labels = consumer(&world).await;
        emit(&notes, "first", &["a", "bad", "b"]).await;
        emit(&notes, "second", &["c"]).await;

        let running = start(notes.runner());
        notes.idle().await.unwrap();
        assert_eq!(names(&labels).await, ["a", "c"], "{engine:?}");
        emit(&notes, "second", &["d"]).await;
        notes.idle().await.unwrap();
        assert_eq!(names(&labels).await, ["a", "c", "d"], "{engine:?}");

        // What was refused is tried again later; once it is taken, what waits behind it follows.
        let mut tx = notes.begin_for(&service("shop")).await.unwrap();
        let mended = Labelled { name: "mended".into() }.encode_to_vec();
        let mend = "UPDATE store_outbox SET data = $2 WHERE project = $1 AND attempts > 0";
        assert_eq!(tx.query(mend).bind(mended).execute().await.unwrap(), 1, "{engine:?}");
        tx.commit().await.unwrap();
        world.clock.advance(Duration::from_mins(10));
        notes.idle().await.unwrap();
        running.stop().await;

        assert_eq!(names(&labels).await, ["a", "b", "c", "d", "mended"], "{engine:?}");
    }
}

#[tokio::test]
async fn events_of_a_key_arrive_in_their_order() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let notes = world.open().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let labels = Store::open(world.config("labels", world.database.open())).await.unwrap();
        let noted = Arc::clone(&seen);
        world.bus.register(
            "labels",
            labels.consumer().on(move |tx: Tx, _, event: Labelled| {
                noted.lock().unwrap().push(event.name);
                async move { Ok(tx) }
            }),
        );
        let mut tx = notes.begin_for(&user("ann")).await.unwrap();
        for at in 0..250 {
            tx.emit("key", Labelled { name: format!("{at:03}") });
        }
        tx.commit().await.unwrap();

        let running = start(notes.runner());
        notes.idle().await.unwrap();
        running.stop().await;

        let expected: Vec<_> = (0..250).map(|at| format!("{at:03}")).collect();
        assert_eq!(*seen.lock().unwrap(), expected, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_delivered_at_once_by_two_replicas_has_one_effect() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let labels = consumer(&world).await;
        let event = Event {
            id: "evt_1".into(),
            r#type: "notes.v1.Labelled".into(),
            project: "shop".into(),
            data: Labelled { name: "a".into() }.encode_to_vec(),
            ..Event::default()
        };
        let context = user("ann").as_service("labels");

        let consumers = (0..4).map(|_| {
            let (consumer, event, context) =
                (labels.consumer().on(keep), event.clone(), context.clone());
            tokio::spawn(async move { consumer.consume(&context, &event).await })
        });
        for consumed in consumers.collect::<Vec<_>>() {
            consumed.await.unwrap().unwrap();
        }

        assert_eq!(names(&labels).await, ["a"], "{engine:?}");
    }
}

#[tokio::test]
async fn an_event_that_nobody_here_consumes_is_left_to_newer_replicas() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let event = Event { id: "evt_1".into(), r#type: "notes.v1.Other".into(), ..Event::default() };

    let status = store.consumer().on(keep).consume(&service("shop"), &event).await.unwrap_err();

    assert_eq!(status.code(), mesh::Code::Unimplemented);
}
