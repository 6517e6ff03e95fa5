//! What operators see of tasks, and decide.

use contract::mesh::v1::task::State;
use contract::mesh::v1::{ListAuditRecordsRequest, ListTasksRequest, Task};
use mesh::{Code, Context, Failure, Status};
use store::{Claim, Error, Store};
use store_testing::Engine;

use crate::notes::AddLabel;
use crate::world::{World, service, start, user};

async fn listed(store: &Store, who: &Context, asked: ListTasksRequest) -> Vec<Task> {
    store.tasks(who, &asked).await.unwrap().tasks
}

fn in_state(state: State) -> ListTasksRequest {
    ListTasksRequest { state: state.into(), ..ListTasksRequest::default() }
}

async fn start_task(store: &Store, name: &str) {
    let mut tx = store.begin_for(&user("ann")).await.unwrap();
    tx.start(AddLabel { name: name.into() }).unwrap();
    tx.commit().await.unwrap();
}

/// So many tasks that have failed too often.
async fn give_up(world: &World, store: &Store, count: usize) {
    for at in 0..count {
        start_task(store, &format!("{at}")).await;
    }
    let failing = |_: Context, task: AddLabel, _: Claim| async move {
        Err::<(), _>(Status::internal(format!("{} does not work", task.name)))
    };
    let running = start(store.runner().on(failing));
    for _ in 0..25 {
        store.idle().await.unwrap();
        world.clock.advance(std::time::Duration::from_mins(7));
    }
    running.stop().await;
}

#[tokio::test]
async fn tasks_are_listed_by_state_and_kind_in_pages() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let shop = service("shop");
        give_up(&world, &store, 1).await;
        start_task(&store, "waits").await;
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        let claim = tx.start_claimed(AddLabel { name: "runs".into() }).unwrap();
        tx.commit().await.unwrap();

        for (state, payload) in [
            (State::Dead, "{\"name\":\"0\"}"),
            (State::Waiting, "{\"name\":\"waits\"}"),
            (State::Running, "{\"name\":\"runs\"}"),
        ] {
            let found = listed(&store, &shop, in_state(state)).await;
            assert_eq!(found.len(), 1, "{engine:?} {state:?}");
            assert_eq!((found[0].state(), found[0].payload.as_str()), (state, ""), "{engine:?}");
            let whole = store.task(&shop, &found[0].id).await.unwrap();
            assert_eq!((whole.payload.as_str(), whole.subject.as_str()), (payload, "ann"));
        }
        let other = ListTasksRequest { kind: "other".into(), ..ListTasksRequest::default() };
        assert!(listed(&store, &shop, other).await.is_empty(), "{engine:?}");
        let mut request = ListTasksRequest { page_size: 2, ..ListTasksRequest::default() };
        let first = store.tasks(&shop, &request).await.unwrap();
        request.page_token.clone_from(&first.next_page_token);
        let second = store.tasks(&shop, &request).await.unwrap();
        assert_eq!((first.tasks.len(), second.tasks.len()), (2, 1), "{engine:?}");
        assert!(second.next_page_token.is_empty(), "{engine:?}");
        drop(claim);
    }
}

#[tokio::test]
async fn nobody_sees_or_touches_the_tasks_of_another_project() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        give_up(&world, &store, 1).await;
        let (shop, other) = (service("shop"), service("other"));
        let id = listed(&store, &shop, in_state(State::Dead)).await[0].id.clone();

        assert!(listed(&store, &other, ListTasksRequest::default()).await.is_empty());
        for refused in [
            store.task(&other, &id).await,
            store.retry_task(&other, &id).await,
            store.discard_task(&other, &id).await,
        ] {
            let verdict = refused.unwrap_err().verdict();
            assert_eq!(verdict, (Code::NotFound, "TASK_NOT_FOUND"), "{engine:?}");
        }
        assert_eq!(store.retry_tasks(&other, "add-label").await.unwrap(), 0, "{engine:?}");
        assert_eq!(store.task(&shop, &id).await.unwrap().state(), State::Dead, "{engine:?}");
    }
}

#[tokio::test]
async fn a_task_that_is_retried_begins_anew_and_twice_is_once() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        give_up(&world, &store, 1).await;
        let shop = service("shop");
        let dead = listed(&store, &shop, in_state(State::Dead)).await.remove(0);
        assert_eq!((dead.attempts, dead.error.as_str()), (20, "Internal: 0 does not work"));

        for _ in 0..2 {
            let retried = store.retry_task(&shop, &dead.id).await.unwrap();
            assert_eq!((retried.state(), retried.attempts), (State::Waiting, 0), "{engine:?}");
        }

        let audited = audited(&store, &shop, &dead.id).await;
        assert_eq!(audited, ["KIND_UPDATE"], "{engine:?}");
    }
}

#[tokio::test]
async fn all_tasks_of_a_kind_are_retried_however_many() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        let shop = service("shop");
        let mut tx = store.begin_for(&user("ann")).await.unwrap();
        for at in 0..450 {
            tx.start(AddLabel { name: format!("{at}") }).unwrap();
        }
        let all = "UPDATE store_tasks SET dead = 1 WHERE project = $1";
        tx.commit().await.unwrap();
        let mut tx = store.begin_for(&shop).await.unwrap();
        tx.query(all).execute().await.unwrap();
        tx.commit().await.unwrap();

        assert_eq!(store.retry_tasks(&shop, "other").await.unwrap(), 0, "{engine:?}");
        assert_eq!(store.retry_tasks(&shop, "add-label").await.unwrap(), 450, "{engine:?}");

        assert!(listed(&store, &shop, in_state(State::Dead)).await.is_empty(), "{engine:?}");
    }
}

#[tokio::test]
async fn a_discarded_task_is_gone_and_the_audit_log_says_so() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let store = world.open().await;
        give_up(&world, &store, 1).await;
        let shop = service("shop");
        let id = listed(&store, &shop, in_state(State::Dead)).await[0].id.clone();

        let was = store.discard_task(&shop, &id).await.unwrap();

        assert_eq!(was.payload, "{\"name\":\"0\"}", "{engine:?}");
        assert!(matches!(store.task(&shop, &id).await, Err(Error::NotFound { .. })), "{engine:?}");
        assert_eq!(audited(&store, &shop, &id).await, ["KIND_DELETE"], "{engine:?}");
    }
}

#[tokio::test]
async fn a_task_that_was_not_given_up_is_not_discarded() {
    let world = World::new(Engine::Sqlite).await;
    let store = world.open().await;
    let shop = service("shop");
    start_task(&store, "waits").await;
    let id = listed(&store, &shop, ListTasksRequest::default()).await[0].id.clone();

    let refused = store.discard_task(&shop, &id).await.unwrap_err();

    assert_eq!(refused.verdict(), (Code::FailedPrecondition, "TASK_NOT_DEAD"));
    assert_eq!(store.task(&shop, &id).await.unwrap().state(), State::Waiting);
}

async fn audited(store: &Store, who: &Context, id: &str) -> Vec<String> {
    let resource = "tradewind.mesh.v1.Task".to_owned();
    let asked = ListAuditRecordsRequest {
        resource,
        resource_id: id.to_owned(),
        ..ListAuditRecordsRequest::default()
    };
    let told = store.audit(who, &asked).await.unwrap();
    told.records.iter().map(|record| record.kind().as_str_name().to_owned()).collect()
}
