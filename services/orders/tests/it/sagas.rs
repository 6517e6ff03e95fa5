//! Processes that are under way, as operators see them and have them go on.

use std::time::Duration;

use harness::Engine;
use mesh::{Code, Outgoing};
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::saga::Waits;
use tradewind::orders::v1::saga_step::State as Step;
use tradewind::orders::v1::sagas_service_client::SagasServiceClient;
use tradewind::orders::v1::{
    GetSagaRequest, ListSagaKindsRequest, ListSagasRequest, ResumeSagaRequest, Saga,
};

use crate::world::{PAST_LEASE, World, keyed, refusal, shirts};

const UNRESOLVED: (Code, &str) = (Code::Aborted, "PAYMENT_UNRESOLVED");

fn client(world: &World) -> SagasServiceClient<Outgoing> {
    let admin = world.harness.as_user("usr_admin", &["admin"], mesh::caller::DEFAULT_PROJECT);
    SagasServiceClient::new(world.harness.peer("orders").of(&admin))
}

async fn list(world: &World, stuck: bool) -> Vec<Saga> {
    let request = ListSagasRequest { stuck, ..ListSagasRequest::default() };
    client(world).list_sagas(request).await.unwrap().into_inner().sagas
}

async fn only(world: &World) -> Saga {
    let mut sagas = list(world, false).await;
    assert_eq!(sagas.len(), 1, "{sagas:?}");
    sagas.remove(0)
}

async fn resume(world: &World, id: &str) -> Saga {
    let request = ResumeSagaRequest { id: id.to_owned() };
    client(world).resume_saga(request).await.unwrap().into_inner()
}

fn steps(saga: &Saga) -> Vec<(&str, Step)> {
    saga.steps.iter().map(|step| (step.name.as_str(), step.state())).collect()
}

/// An order whose payment nobody knows of, and its process.
async fn undecided(world: &World) -> Saga {
    world.till.say_undecided(Some(UNRESOLVED));
    let (code, _) = refusal(world.place("k", "sim_ok").await);
    assert_eq!(code, Code::Aborted);
    only(world).await
}

#[tokio::test]
async fn a_process_says_how_far_it_came_and_what_it_waits_for() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;

        let saga = undecided(&world).await;

        let order = world.all().await.remove(0);
        assert_eq!(saga.id, format!("{}-checkout-1", order.id), "{engine:?}");
        assert_eq!((saga.kind.as_str(), saga.order_id.as_str()), ("checkout", order.id.as_str()));
        assert_eq!(saga.waits(), Waits::Undecided, "{saga:?}");
        let expected = [
            ("placed", Step::Done),
            ("reserve", Step::Done),
            ("pay", Step::Doing),
            ("conclude", Step::ToDo),
        ];
        assert_eq!(steps(&saga), expected, "{engine:?}");
        assert!(saga.steps[1].time.is_some() && saga.steps[3].time.is_none());
        assert!(!saga.error.is_empty() && !saga.stuck && saga.tries == 1, "{saga:?}");
        let request = GetSagaRequest { id: saga.id.clone() };
        let same = client(&world).get_saga(request).await.unwrap().into_inner();
        assert_eq!(same, saga, "{engine:?}");
    }
}

#[tokio::test]
async fn a_process_that_waits_goes_on_when_it_is_resumed() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let saga = undecided(&world).await;
        world.till.say_undecided(None);
        world.till.resolve(&saga.order_id, true);

        // The clock stands: nothing is due by itself.
        resume(&world, &saga.id).await;
        world.settle().await;

        assert_eq!(world.get(&saga.order_id).await.state(), State::Confirmed, "{engine:?}");
        assert_eq!(list(&world, false).await, [], "{engine:?}");
        let request = ResumeSagaRequest { id: saga.id };
        let gone = refusal(client(&world).resume_saga(request).await);
        assert_eq!(gone, (Code::NotFound, "SAGA_NOT_FOUND".into()), "{engine:?}");
    }
}

#[tokio::test]
async fn a_process_that_is_asked_again_keeps_its_beginning_and_is_stuck_at_last() {
    let world = World::open(Engine::Sqlite).await;
    let first = undecided(&world).await;

    for _ in 0..15 {
        world.after(Duration::from_secs(61)).await;
    }
    assert_eq!(list(&world, true).await.len(), 1);
    let saga = only(&world).await;

    assert_eq!((&saga.id, saga.create_time), (&first.id, first.create_time));
    assert_eq!(saga.waits(), Waits::Undecided, "{saga:?}");
    assert!(saga.stuck && saga.tries > 10, "{saga:?}");
    world.till.say_undecided(None);
    world.till.resolve(&saga.order_id, false);
    world.after(Duration::from_secs(61)).await;
    assert_eq!(list(&world, false).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_runs_is_left_alone() {
    let world = World::open(Engine::Sqlite).await;
    let mut orders = world.client(&world.customer());
    let call = keyed("k", shirts(2, "sim_ok"));
    world.crash_at("checkout/pay", async move { orders.place_order(call).await }).await;

    let saga = only(&world).await;
    let told = resume(&world, &saga.id).await;
    world.settle().await;

    assert_eq!((saga.waits(), told.waits()), (Waits::Running, Waits::Running));
    assert_eq!(world.get(&saga.order_id).await.state(), State::Placing, "its lease has not ended");
    world.after(PAST_LEASE).await;
    assert_eq!(world.get(&saga.order_id).await.state(), State::Confirmed);
}

#[tokio::test]
async fn a_process_that_failed_too_often_waits_for_a_person() {
    let world = World::open(Engine::Sqlite).await;
    let saga = undecided(&world).await;
    let context = world.harness.as_service("orders", None);
    let mut tx = world.harness.store("orders").begin_for(&context).await.unwrap();
    tx.unscoped("UPDATE store_tasks SET dead = 1, attempts = 20").execute().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(only(&world).await.waits(), Waits::Person);
    world.till.say_undecided(None);
    world.till.resolve(&saga.order_id, true);

    world.after(Duration::from_secs(3600)).await;
    assert_eq!(world.get(&saga.order_id).await.state(), State::Placing);
    resume(&world, &saga.id).await;
    world.settle().await;

    assert_eq!(world.get(&saga.order_id).await.state(), State::Confirmed);
}

#[tokio::test]
async fn every_step_of_every_kind_says_what_it_does() {
    let world = World::open(Engine::Sqlite).await;

    let kinds = client(&world).list_saga_kinds(ListSagaKindsRequest {}).await.unwrap();

    let kinds = kinds.into_inner().kinds;
    let names: Vec<_> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names, ["checkout", "cancelling", "refunding"]);
    assert!(kinds.iter().all(|kind| kind.limit_seconds > 0));
    assert!(kinds.iter().flat_map(|kind| &kind.steps).all(|step| !step.does.is_empty()));
    let undone = kinds[0].steps.iter().filter(|step| !step.undo.is_empty());
    let undone: Vec<_> = undone.map(|step| step.name.as_str()).collect();
    assert_eq!(undone, ["placed", "reserve"]);
}
