//! What a person types.

use std::path::Path;

use store_testing::Engine;
use tokio::process::Command;

use crate::customer::{MERCHANT, Person, order};
use crate::sample::product;
use crate::world::{Shape, WORLDS, World};

async fn tradewind(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
    command.args(arguments);
    command.envs(MERCHANT);
    let run = command.output().await.unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_passes_ten_times_running_on_one_mesh() {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let url = format!("http://{}", world.gateway);

    for round in 0..10 {
        let (passed, said) = tradewind(&["demo", "--url", &url]).await;
        assert!(passed, "round {round}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_brings_its_own_mesh() {
    let (passed, said) = tradewind(&["demo"]).await;

    assert!(passed, "{said}");
    assert!(said.contains("everything agrees"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_imported_once_and_its_broken_rows_are_named() {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let url = format!("http://{}", world.gateway);
    let file = world.directory.path().join("feed.csv");
    write_feed(&file);
    let file = file.display().to_string();

    let (passed, said) = tradewind(&["import", &file, "--url", &url]).await;
    assert!(!passed, "a refused row makes the command fail: {said}");
    assert!(said.contains("line 4:"), "{said}");
    assert!(said.contains("2 created, 0 updated, 0 unchanged; 1 rows refused"), "{said}");
    let (_, said) = tradewind(&["import", &file, "--url", &url]).await;
    assert!(said.contains("0 created, 0 updated, 2 unchanged"), "{said}");
}

fn write_feed(file: &Path) {
    let rows = "Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant Inventory Tracker,Variant Inventory Qty\n\
                feed-top,Top,Size,S,60,shopify,3\n\
                feed-top,,,M,60,shopify,4\n\
                feed-top,,,L,a lot,shopify,4\n\
                feed-hat,Hat,Title,Default Title,10,shopify,5\n";
    std::fs::write(file, rows).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_a_process_are_printed_and_what_is_under_way_is_listed() {
    let (passed, said) = tradewind(&["sagas", "steps", "checkout"]).await;
    assert!(passed && said.contains("2. reserve"), "{said}");
    assert!(said.contains("gives back what it holds"), "{said}");
    let (passed, said) = tradewind(&["sagas", "steps", "checkin"]).await;
    assert!(!passed && said.contains("there are checkout, cancelling, refunding"), "{said}");

    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let url = format!("http://{}", world.gateway);
    let (passed, said) = tradewind(&["sagas", "list", "--url", &url]).await;
    assert!(passed && said.contains("0 under way"), "{said}");
    let (passed, said) = tradewind(&["sagas", "resume", "ord_1-checkout-1", "--url", &url]).await;
    assert!(!passed && said.contains("there is no process ord_1-checkout-1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_trying_out_is_refused_outside_development() {
    for line in [["serve", "--faults=x"], ["serve", "--commits-alone"]] {
        let (passed, said) = tradewind(&line).await;

        assert!(!passed);
        assert!(said.contains("--development"), "{line:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_passes_where_all_agree_and_needs_an_administrator() {
    for (shape, engine) in WORLDS {
        let world = World::start(shape, engine).await;
        let url = format!("http://{}", world.gateway);
        let merchant = Person::merchant(world.gateway).await;
        let variant = product(&merchant, "audited", 5).await;
        let guest = Person::guest(world.gateway).await;
        for (key, method) in [("one", "sim_ok"), ("two", "sim_declined")] {
            guest.post_once("/v1/orders", key, order(&[(&variant, 1)], method)).await;
        }

        let line = ["audit", "--url", &url, "--wait", "30", "--json"];
        let (passed, said) = tradewind(&line).await;

        assert!(passed, "{shape:?}: {said}");
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report.pointer("/0/orders"), Some(&2.into()), "{shape:?}: {said}");
        assert_eq!(report.pointer("/0/findings/0"), None, "{shape:?}: {said}");
        let refused = guest.get("/v1/orders:audit").await;
        assert_eq!(refused.status, 403, "{shape:?} {refused:?}");
    }
}
