//! What was given up, told to those who may know and decided upon by them, wherever the service runs.

use std::sync::Arc;

use mesh::{Caller, Context, Mesh, Trace};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Config, Store, Task};
use tokio::process::Command;

use crate::customer::{MERCHANT, Person};
use crate::world::{WORLDS, World};

/// A task that no service does, so that it stays where it is put.
#[derive(Serialize, Deserialize)]
struct Teach {
    lesson: String,
}

impl Task for Teach {
    const KIND: &'static str = "teach";
}

/// Leaves tasks in the database of orders as if they had failed too often.
async fn given_up(world: &World, project: &str, count: usize) {
    let descriptors = vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS];
    let mesh = Mesh::new(mesh::Config::new("test", descriptors)).unwrap();
    let (bus, changes) = (mesh.bus(), mesh.changes().clone());
    let config = Config::new(orders::NAME, world.database(), orders::MIGRATIONS, bus, changes);
    let store = Store::open(config).await.unwrap();
    let caller = Caller::service(orders::NAME, project, Some(Arc::from("usr_ada")));
    let context = Context::new(caller, "test", Trace::NONE);
    let mut tx = store.begin_for(&context).await.unwrap();
    for at in 0..count {
        tx.start(Teach { lesson: format!("lesson {at}") }).unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = store.begin_for(&context).await.unwrap();
    tx.query(
        "UPDATE store_tasks SET dead = 1, attempts = 20, error = 'Internal: nobody listens' \
         WHERE project = $1 AND kind = 'teach'",
    )
    .execute()
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_reads_retries_and_discards_what_was_given_up() {
    for (shape, engine) in WORLDS {
        let world = World::start(shape, engine).await;
        given_up(&world, "default", 2).await;
        given_up(&world, "bakery", 1).await;
        let administrator = Person::merchant(world.gateway).await;

        let listed = administrator.get("/v1/tasks/orders?state=STATE_DEAD&kind=teach").await;
        assert_eq!(listed.json["tasks"].as_array().unwrap().len(), 2, "{shape:?} {listed:?}");
        let (one, two) = (listed.text("/tasks/0/id"), listed.text("/tasks/1/id"));
        let shown = administrator.get(&format!("/v1/tasks/orders/{one}")).await;
        let payload = shown.text("/payload");
        assert!(payload.starts_with("{\"lesson\":\"lesson "), "{shape:?} {payload}");
        assert_eq!(shown.text("/error"), "Internal: nobody listens", "{shape:?}");
        assert_eq!(shown.text("/subject"), "usr_ada", "{shape:?}");
        let path = format!("/v1/tasks/orders/{one}:discard");
        let discarded = administrator.post(&path, json!({})).await;
        assert_eq!(discarded.text("/id"), one, "{shape:?}");
        let again = administrator.post(&path, json!({})).await;
        assert_eq!((again.status, again.reason()), (404, "TASK_NOT_FOUND"), "{shape:?}");
        let path = format!("/v1/audit/orders?resourceId={one}");
        let audited = administrator.get(&path).await;
        assert_eq!(audited.text("/records/0/kind"), "KIND_DELETE", "{shape:?} {audited:?}");
        let path = "/v1/tasks/orders:retry";
        let retried = administrator.post(path, json!({ "kind": "teach" })).await;
        assert_eq!(retried.text("/retried"), "1", "{shape:?} {retried:?}");
        let path = format!("/v1/tasks/orders/{two}");
        assert_eq!(administrator.get(&path).await.text("/state"), "STATE_WAITING", "{shape:?}");
        let refused = administrator.post(&format!("{path}:discard"), json!({})).await;
        assert_eq!((refused.status, refused.reason()), (400, "TASK_NOT_DEAD"), "{shape:?}");

        let guest = Person::guest(world.gateway).await;
        let refused = guest.get("/v1/tasks/orders").await;
        assert_eq!((refused.status, refused.reason()), (403, "PERMISSION_DENIED"), "{shape:?}");
        let unknown = administrator.get("/v1/tasks/nothing").await;
        assert_eq!((unknown.status, unknown.reason()), (404, "UNKNOWN_SERVICE"), "{unknown:?}");
    }
}

async fn tradewind(world: &World, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
    command.args(arguments).envs(MERCHANT);
    command.env("TRADEWIND_URL", format!("http://{}", world.gateway));
    let run = command.output().await.unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_what_was_given_up_and_what_to_do() {
    for (shape, engine) in WORLDS {
        let world = World::start(shape, engine).await;
        let (passed, said) = tradewind(&world, &["tasks", "list", "--state", "dead"]).await;
        assert!(passed && said.contains("nothing is left to do"), "{shape:?} {said}");
        given_up(&world, "default", 3).await;

        let (passed, said) = tradewind(&world, &["tasks", "list", "--state", "dead"]).await;
        assert!(passed && said.contains("LAST ERROR") && said.contains("nobody listens"), "{said}");
        let id = said.split_whitespace().find(|word| word.starts_with("tsk_")).unwrap();
        let (passed, shown) = tradewind(&world, &["tasks", "show", "orders", id]).await;
        assert!(passed && shown.contains("lesson"), "{shown}");
        assert!(shown.contains(&format!("tradewind tasks retry orders {id}")), "{shown}");
        let (passed, said) = tradewind(&world, &["tasks", "retry", "orders", id]).await;
        assert!(passed && said.contains("is tried again"), "{said}");
        let (passed, said) = tradewind(&world, &["tasks", "discard", "orders", id]).await;
        assert!(!passed && said.contains("was not given up"), "{said}");
        let (passed, said) =
            tradewind(&world, &["tasks", "retry", "orders", "--kind", "teach"]).await;
        assert!(passed && said.contains("2 tasks of kind teach"), "{said}");
        let (passed, said) = tradewind(&world, &["tasks", "show", "orders", "tsk_none"]).await;
        assert!(!passed && said.contains("it may be done by now"), "{said}");
        let (passed, said) = tradewind(&world, &["tasks", "list", "bakers"]).await;
        assert!(!passed && said.contains("there is no service `bakers`"), "{said}");
    }
}
