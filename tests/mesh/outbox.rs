//! What services have told each other, shown to those who may know and decided upon by them, near and far.

use serde_json::json;
use tokio::process::Command;

use crate::customer::{MERCHANT, Person, order};
use crate::sample::product;
use crate::world::{WORLDS, World};

async fn tradewind(world: &World, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
    command.args(arguments).args(["--url", &format!("http://{}", world.gateway)]);
    let run = command.envs(MERCHANT).output().await.unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_was_told_and_has_it_told_again() {
    for (shape, engine) in WORLDS {
        let world = World::start(shape, engine).await;
        let administrator = Person::merchant(world.gateway).await;
        let variant = product(&administrator, "told", 5).await;
        let guest = Person::guest(world.gateway).await;
        let placed = guest.post_once("/v1/orders", "one", order(&[(&variant, 1)], "sim_ok")).await;
        let id = placed.text("/order/id");
        let path = format!("/v1/outbox/orders?key={id}");
        let delivered = |told: &serde_json::Value| {
            let events = told["events"].as_array();
            events.is_some_and(|events| {
                !events.is_empty() && events.iter().all(|it| it["state"] == "STATE_DELIVERED")
            })
        };

        let told = administrator.get_until(&path, delivered).await;
        let mails = format!("/v1/mails?filter=reference%20%3D%20%22{id}%22");
        let one = |it: &serde_json::Value| it["mails"].as_array().map(Vec::len) == Some(1);
        administrator.get_until(&mails, one).await;
        let position = told.text("/events/0/position");
        let (passed, said) = tradewind(&world, &["events", "show", "orders", &position]).await;
        assert!(passed && said.contains(&id) && said.contains("delivered"), "{shape:?} {said}");
        let (passed, said) =
            tradewind(&world, &["events", "list", "orders", "--state", "delivered"]).await;
        assert!(passed && said.contains(&id), "{shape:?} {said}");
        let (passed, said) = tradewind(&world, &["events", "discard", "orders", &position]).await;
        assert!(!passed && said.contains("was not given up"), "{shape:?} {said}");
        let (passed, said) = tradewind(&world, &["events", "retry", "orders", &position]).await;
        assert!(passed && said.contains("was delivered already"), "{shape:?} {said}");

        let replay = ["events", "replay", "notifications", "--since", "2020-01-01T00:00:00Z"];
        let (passed, said) = tradewind(&world, &replay).await;
        assert!(passed && said.contains("events of orders again"), "{shape:?} {said}");
        administrator.get_until(&path, delivered).await;
        let again = administrator.get(&mails).await;
        assert!(one(&again.json), "{shape:?}: the customer is told once {again:?}");

        let refused = guest.get(&path).await;
        assert_eq!((refused.status, refused.reason()), (403, "PERMISSION_DENIED"), "{shape:?}");
        let unknown = administrator.get("/v1/outbox/nothing").await;
        assert_eq!((unknown.status, unknown.reason()), (404, "UNKNOWN_SERVICE"), "{unknown:?}");
        let missing = administrator.post("/v1/outbox/orders/999999:retry", json!({})).await;
        assert_eq!((missing.status, missing.reason()), (404, "EVENT_NOT_FOUND"), "{missing:?}");
    }
}

#[tokio::test]
async fn delivered_events_are_not_kept_longer_than_it_is_known_that_they_were_had() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
    command.args(["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    command.args(["--admin-listen", "127.0.0.1:0"]);
    command.args(["--keep-delivered-days", "30", "--keep-events-days", "30"]);

    let run = command.output().await.unwrap();

    let said = String::from_utf8_lossy(&run.stderr);
    assert!(!run.status.success() && said.contains("--keep-delivered-days is 30"), "{said}");
}
