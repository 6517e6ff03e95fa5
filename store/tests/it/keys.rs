//! Idempotency keys: one effect and one answer for each.

use std::time::Duration;

use mesh::{Code, Detail, Failure, HasContext, Replay, Request, Response, Status};
use prost::Message;
use store::{Error, List, Store};
use store_testing::Engine;
use tokio::time::Instant;

use crate::notes::{Label, label};
use crate::world::{World, request, service, until, user};

/// A handler: makes a label, once for each key.
async fn create(store: &Store, key: Option<&str>, name: &str) -> Result<Response<Label>, Error> {
    let request = request(&user("ann"), key, label(name));
    let mut tx = store.begin(&request).await?;
    let label = tx.insert(request.into_inner()).await?;
    tx.answer(label).await
}

fn replayed(error: Error) -> Label {
    let Error::Replay(Replay::Answer(answer)) = error else { panic!("{error:?}") };
    Label::decode(answer).unwrap()
}

/// What a call is told that ends as another with its key did; it is one that was refused.
fn refused_before(error: &Error) -> Vec<u8> {
    let Error::Replay(Replay::Refusal(refusal)) = error else { panic!("{error:?}") };
    refusal.to_vec()
}

/// How a call ends whose handler leaves with this.
async fn left_with(call: &Request<Label>, status: Status) -> Status {
    call.context().refused(status).await
}

async fn labels(store: &Store) -> Vec<Label> {
    store.read(&service("shop")).list(&List::default()).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_calls_with_one_key_have_one_effect_and_equal_answers() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        // Two stores on one database are two replicas.
        let replicas = [world.open().await, world.open().await];

        let calls = (0..16).map(|at| {
            let store = replicas[at % 2].clone();
            tokio::spawn(async move {
                match create(&store, Some("key"), "red").await {
                    Ok(response) => (response.into_inner(), true),
                    Err(error) => (replayed(error), false),
                }
            })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap());
        }

        assert_eq!(answers.iter().filter(|(_, first)| *first).count(), 1, "{engine:?}");
        assert!(answers.iter().all(|(answer, _)| *answer == answers[0].0), "{engine:?}");
        assert_eq!(labels(&replicas[0]).await, [answers[0].0.clone()], "{engine:?}");
    }
}

#[tokio::test]
async fn a_key_with_another_message_is_refused() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        create(&store, Some("key"), "red").await.unwrap();

        let error = create(&store, Some("key"), "blue").await.unwrap_err();

        assert_eq!(
            error.verdict(),
            (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"),
            "{engine:?}"
        );
        create(&store, Some("other key"), "blue").await.unwrap();
        create(&store, None, "green").await.unwrap();
    }
}

#[tokio::test]
async fn a_call_that_failed_or_was_cut_off_left_no_key() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let call = request(&user("ann"), Some("key"), label("red"));

        let mut tx = store.begin(&call).await.unwrap();
        tx.insert(call.get_ref().clone()).await.unwrap();
        drop(tx);
        // As after a crash: another process finds nothing of it.
        let store = world.open().await;
        assert!(labels(&store).await.is_empty(), "{engine:?}");

        create(&store, Some("key"), "red").await.unwrap();
        assert_eq!(labels(&store).await.len(), 1, "{engine:?}");
    }
}

#[tokio::test]
async fn a_key_is_the_callers_own() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        create(&store, Some("key"), "red").await.unwrap();

        let others = request(&user("bob"), Some("key"), label("blue"));
        let mut tx = store.begin(&others).await.unwrap();
        tx.insert(label("blue")).await.unwrap();
        tx.answer(label("blue")).await.unwrap();

        assert_eq!(labels(&store).await.len(), 2, "{engine:?}");
    }
}

#[tokio::test]
async fn a_call_with_a_key_is_not_committed_without_an_answer() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let call = request(&user("ann"), Some("key"), label("red"));
    let mut tx = store.begin(&call).await.unwrap();
    tx.insert(label("red")).await.unwrap();

    assert!(matches!(tx.commit().await, Err(Error::Unanswered)));
    assert!(labels(&store).await.is_empty());
}

#[tokio::test]
async fn a_repeat_waits_for_the_answer_of_a_process() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        // The answer is given by this process, or by another.
        for same in [true, false] {
            let store = world.open().await;
            let other = world.open().await;
            let key = format!("key {same}");
            let call = request(&user("ann"), Some(&key), label(key.clone()));
            let mut tx = store.begin(&call).await.unwrap();
            let made = tx.insert(label(key.clone())).await.unwrap();
            tx.open_key(&made.id).await.unwrap();
            tx.commit().await.unwrap();

            let repeat = {
                let (store, key) = (store.clone(), key.clone());
                tokio::spawn(async move { create(&store, Some(&key), &key).await })
            };
            let hasty = user("ann").until(Instant::now() + Duration::from_millis(60));
            let hasty = request(&hasty, Some(&key), label(key.clone()));
            let error = store.begin(&hasty).await.unwrap_err();
            assert_eq!(
                error.verdict(),
                (Code::Aborted, "IDEMPOTENCY_KEY_IN_PROGRESS"),
                "{engine:?}"
            );
            assert!(error.detail().retry_after.is_some());

            let process = user("ann").as_service("notes");
            let answering = if same { &store } else { &other };
            let mut tx = answering.begin_for(&process).await.unwrap();
            tx.answer_key(&made.id, &made).await.unwrap();
            tx.commit().await.unwrap();

            assert_eq!(replayed(repeat.await.unwrap().unwrap_err()), made, "{engine:?}");
        }
    }
}

#[tokio::test]
async fn a_call_whose_process_came_to_nothing_is_refused_again() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let call = request(&user("ann"), Some("key"), label("red"));
        let mut tx = store.begin(&call).await.unwrap();
        tx.open_key("process").await.unwrap();
        tx.commit().await.unwrap();

        let why = Status::failed_precondition("there is none");
        let mut tx = store.begin_for(&service("shop")).await.unwrap();
        tx.refuse_key("process", &why).await.unwrap();
        tx.commit().await.unwrap();

        // The call itself hears it first, and not as a repeat.
        let told = left_with(&call, why.clone()).await;
        assert_eq!((told.code(), told.message()), (Code::FailedPrecondition, "there is none"));
        let error = create(&store, Some("key"), "red").await.unwrap_err();
        assert_eq!(refused_before(&error), mesh::replay::encoded(&why), "{engine:?}");
        assert!(labels(&store).await.is_empty(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_call_that_was_refused_is_refused_again() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let call = request(&user("ann"), Some("key"), label("red"));
        drop(store.begin(&call).await.unwrap());
        let why = mesh::refuse(Code::NotFound, "test", "NO_RED", "no red", Detail::default());

        let told = left_with(&call, why.clone()).await;

        assert_eq!(told.details(), why.details(), "{engine:?}");
        let repeat = request(&user("ann"), Some("key"), label("red"));
        for error in [
            create(&store, Some("key"), "red").await.unwrap_err(),
            store.refuse_repeat(&repeat).await.unwrap_err(),
        ] {
            assert_eq!(refused_before(&error), why.details(), "{engine:?}");
        }
        let error = create(&store, Some("key"), "blue").await.unwrap_err();
        assert!(matches!(error, Error::KeyReused), "{engine:?}");
        assert!(labels(&store).await.is_empty(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_refusal_gives_way_to_what_its_key_came_to_meanwhile() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let late = request(&user("ann"), Some("key"), label("red"));
        drop(store.begin(&late).await.unwrap());
        let made = create(&store, Some("key"), "red").await.unwrap().into_inner();
        let open = request(&user("ann"), Some("open"), label("blue"));
        drop(store.begin(&open).await.unwrap());
        let begun = request(&user("ann"), Some("open"), label("blue"));
        let mut tx = store.begin(&begun).await.unwrap();
        tx.open_key("process").await.unwrap();
        tx.commit().await.unwrap();

        let told = left_with(&late, Status::not_found("no red")).await;
        let told_open = left_with(&open, Status::not_found("no blue")).await;

        let source = std::error::Error::source(&told).unwrap();
        let Some(Replay::Answer(answer)) = source.downcast_ref::<Replay>() else {
            panic!("{engine:?}: {told:?}")
        };
        assert_eq!(Label::decode(answer.clone()).unwrap(), made, "{engine:?}");
        assert_eq!(told_open.code(), Code::Aborted, "{engine:?}");
    }
}

#[tokio::test]
async fn what_a_repeat_may_change_keeps_no_key() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let call = request(&user("ann"), Some("key"), label("red"));
    drop(store.begin(&call).await.unwrap());

    let told = left_with(&call, Status::unavailable("in a while")).await;

    assert_eq!(told.code(), Code::Unavailable);
    create(&store, Some("key"), "red").await.unwrap();
}

#[tokio::test]
async fn the_queue_for_a_key_does_not_hold_up_other_keys() {
    let world = World::new(Engine::Postgres).await;
    let store = world.open().await;
    let call = request(&user("ann"), Some("key"), label("red"));
    let held = store.begin(&call).await.unwrap();
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { create(&store, Some("key"), "red").await })
    };

    create(&store, Some("other"), "blue").await.unwrap();
    drop(held);

    until("the next in the queue runs", async || waiting.is_finished()).await;
    assert_eq!(waiting.await.unwrap().unwrap().into_inner().name, "red");
}

#[test]
fn a_replay_leaves_a_handler_as_the_stored_answer() {
    let answer = label("red").encode_to_vec();
    let error = Error::Replay(Replay::Answer(answer.clone().into()));

    let status = Status::from(error);

    let source = std::error::Error::source(&status).unwrap();
    let Some(Replay::Answer(replayed)) = source.downcast_ref::<Replay>() else { panic!() };
    assert_eq!(*replayed, answer);
}
