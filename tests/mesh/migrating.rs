//! Tables that are brought up to date before processes start, as whoever rolls a version out does it.

use std::path::Path;

use store::backup::{change_file, change_schema};
use store_testing::{Engine, TestDatabase};
use tokio::process::Command;

use crate::world::free_address;

async fn tradewind(line: &[&str]) -> (bool, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_tradewind")).args(line).output().await.unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The flag that names a database, and its value.
async fn place(engine: Engine) -> (store_testing::TestDatabase, [String; 2]) {
    let database = store_testing::database(engine).await;
    let flag = match engine {
        Engine::Sqlite => "--data",
        Engine::Postgres => "--database",
    };
    let place = [flag.to_owned(), database.location()];
    (database, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_made_once_however_many_make_them_and_then_nothing_is_pending() {
    for engine in Engine::ALL {
        let (_database, place) = place(engine).await;
        let [flag, value] = place.each_ref().map(String::as_str);
        let migrate = ["migrate", flag, value];

        let (was_ready, pending) = tradewind(&["migrate", "--check", flag, value]).await;
        let made = tokio::join!(tradewind(&migrate), tradewind(&migrate), tradewind(&migrate));
        let (is_ready, after) = tradewind(&["migrate", "--check", flag, value]).await;

        assert!(!was_ready, "{engine:?} {pending}");
        assert!(pending.contains("orders        has to run store/0001"), "{engine:?} {pending}");
        let made = [made.0, made.1, made.2];
        assert!(made.iter().all(|(passed, _)| *passed), "{engine:?} {made:?}");
        let who = made.iter().filter(|(_, said)| said.contains("orders        has run")).count();
        assert_eq!(who, 1, "{engine:?} {made:?}");
        assert!(is_ready && after.contains("orders        is up to date"), "{engine:?} {after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_named_is_migrated_alone() {
    let (_database, [flag, value]) = place(Engine::Sqlite).await;

    let (passed, said) = tradewind(&["migrate", "orders", &flag, &value]).await;
    let (_, pending) = tradewind(&["migrate", "--check", &flag, &value]).await;

    assert!(passed && said.lines().count() == 1, "{said}");
    assert!(pending.contains("orders        is up to date"), "{pending}");
    assert!(pending.contains("catalog       has to run"), "{pending}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_may_not_migrate_says_who_does() {
    for engine in Engine::ALL {
        let (_database, place) = place(engine).await;
        let [flag, value] = place.each_ref().map(String::as_str);
        let (listen, admin) = (free_address().await.to_string(), free_address().await.to_string());
        let serve = ["serve", "--no-migrate", flag, value, "--listen", &listen];

        let (passed, said) = tradewind(&[&serve[..], &["--admin-listen", &admin]].concat()).await;

        assert!(!passed, "{engine:?} {said}");
        assert!(said.contains("older than this version"), "{engine:?} {said}");
        assert!(said.contains("`tradewind migrate`"), "{engine:?} {said}");
    }
}

/// Runs SQL on the tables of orders, as a newer version would.
async fn change_orders(engine: Engine, database: &TestDatabase, sql: &'static str) {
    let place = database.location();
    match engine {
        Engine::Sqlite => change_file(&Path::new(&place).join("orders.db"), sql).await.unwrap(),
        Engine::Postgres => change_schema(&place, "orders", sql).await.unwrap(),
    }
}

const GROWN: &str = "ALTER TABLE orders ADD COLUMN gift TEXT; \
    INSERT INTO store_migrations (name, checksum, create_time) VALUES ('0099_gift', 'x', 0)";
const SHRUNK: &str = "ALTER TABLE orders DROP COLUMN gift; \
    INSERT INTO store_migrations (name, checksum, create_time, needs) \
    VALUES ('0100_no_gift', 'y', 0, '0099_gift')";

#[tokio::test(flavor = "multi_thread")]
async fn after_the_way_back_grown_tables_are_backed_up_and_shrunk_ones_refused() {
    for engine in Engine::ALL {
        let (database, place) = place(engine).await;
        let [flag, value] = place.each_ref().map(String::as_str);
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().display().to_string();
        let (passed, said) = tradewind(&["migrate", flag, value]).await;
        assert!(passed, "{said}");

        change_orders(engine, &database, GROWN).await;
        let grown = tradewind(&["backup", "--to", &to, flag, value]).await;
        let told = tradewind(&["doctor", flag, value]).await;
        change_orders(engine, &database, SHRUNK).await;
        let shrunk = tradewind(&["backup", "--to", &to, flag, value]).await;
        let refused = tradewind(&["doctor", flag, value]).await;

        assert!(grown.0, "{engine:?} {}", grown.1);
        let mut there = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path());
        let backup = there.find(|path| path.is_dir()).unwrap();
        let verified = tradewind(&["backup", "verify", &backup.display().to_string()]).await;
        assert!(verified.0, "{engine:?} {}", verified.1);
        assert!(
            told.0 && told.1.contains("orders 0099_gift, which leaves"),
            "{engine:?} {}",
            told.1
        );
        assert!(!shrunk.0 && shrunk.1.contains("0099_gift"), "{engine:?} {}", shrunk.1);
        assert!(!refused.0 && refused.1.contains("taken away"), "{engine:?} {}", refused.1);
    }
}
