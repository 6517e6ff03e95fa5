//! Tables that are older or newer than a version, and changes of tables that are in use.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, Row};
use store::{Error, Migration, Store};
use store_testing::Engine;
use tokio::time::timeout;

use crate::world::{MIGRATIONS, World};

static GROWN: &[Migration] =
    &[MIGRATIONS[0], Migration::new("0002_colour", "ALTER TABLE notes ADD COLUMN colour TEXT")];

static SHRUNK: &[Migration] = &[
    MIGRATIONS[0],
    GROWN[1],
    Migration::contracting(
        "0003_no_subtitle",
        "ALTER TABLE notes DROP COLUMN subtitle",
        "0002_colour",
    ),
];

#[tokio::test]
async fn what_is_pending_is_told_without_anything_being_made() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let database = world.database.open();

        let absent = database.schema("notes", GROWN).await.unwrap();
        let again = database.schema("notes", GROWN).await.unwrap();
        let before = database.migrate("notes", GROWN, &world.clock).await.unwrap();
        let after = database.schema("notes", GROWN).await.unwrap();

        assert_eq!(absent.pending.last(), Some(&"0002_colour"), "{engine:?}");
        assert_eq!((&again, &before), (&absent, &absent), "{engine:?}");
        assert_eq!((after.pending.len(), after.ran), (0, absent.pending), "{engine:?}");
    }
}

#[tokio::test]
async fn tables_that_somebody_else_migrates_are_refused_while_they_are_older() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let open = |migrations| {
            let config = world.config("notes", world.database.open().migrated());
            Store::open(store::Config { migrations, ..config })
        };

        let absent = open(MIGRATIONS).await.unwrap_err();
        world.open().await;
        let current = open(MIGRATIONS).await;
        let older = open(GROWN).await.unwrap_err();

        assert!(matches!(absent, Error::SchemaOlder { .. }), "{engine:?} {absent}");
        assert!(current.is_ok(), "{engine:?} {current:?}");
        assert!(older.to_string().contains("0002_colour has not run"), "{engine:?} {older}");
        assert!(older.to_string().contains("tradewind migrate"), "{engine:?} {older}");
    }
}

#[tokio::test]
async fn an_older_version_works_on_tables_that_have_grown() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let database = world.database.open();
        database.migrate("notes", GROWN, &world.clock).await.unwrap();

        let older = database.schema("notes", MIGRATIONS).await.unwrap();
        let opened = Store::open(world.config("notes", world.database.open())).await;

        assert_eq!(older.newer, ["0002_colour"], "{engine:?}");
        assert!(opened.is_ok(), "{engine:?} {opened:?}");
    }
}

#[tokio::test]
async fn a_version_that_works_with_what_was_taken_away_is_refused() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let database = world.database.open();
        database.migrate("notes", SHRUNK, &world.clock).await.unwrap();

        let between = database.schema("notes", GROWN).await.unwrap();
        let opened = Store::open(world.config("notes", world.database.open())).await;
        let migrated = database.migrate("notes", MIGRATIONS, &world.clock).await;

        assert_eq!(between.newer, ["0003_no_subtitle"], "{engine:?}");
        for refused in [opened.unwrap_err(), migrated.unwrap_err()] {
            let said = refused.to_string();
            assert!(matches!(refused, Error::SchemaNewer { .. }), "{engine:?} {said}");
            assert!(said.contains("0003_no_subtitle"), "{engine:?} {said}");
            assert!(said.contains("do not know 0002_colour"), "{engine:?} {said}");
        }
    }
}

#[tokio::test]
async fn a_role_without_the_right_to_make_tables_opens_what_was_migrated_before() {
    let world = World::new(Engine::Postgres).await;
    world.open().await;
    let url = world.database.location();
    let name = url.split('?').next().and_then(|address| address.rsplit('/').next()).unwrap();
    let role = format!("reader_{name}");
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let grants = format!(
        "CREATE ROLE {role} LOGIN; \
         GRANT USAGE ON SCHEMA notes TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA notes TO {role}"
    );
    owner.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(grants))).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let as_role = || store::Database::postgres(format!("{url}{separator}user={role}"), 2);

    let refused = Store::open(world.config("notes", as_role())).await;
    let opened = Store::open(world.config("notes", as_role().migrated())).await;

    assert!(refused.is_err());
    assert!(opened.is_ok(), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_table_that_is_in_use_lets_calls_through() {
    let world = World::new(Engine::Postgres).await;
    world.open().await;
    let url = world.database.location();
    let mut user = PgConnection::connect(&url).await.unwrap();
    user.execute(sqlx::raw_sql("BEGIN; SELECT COUNT(*) FROM notes.notes")).await.unwrap();
    let (database, clock) = (world.database.open(), world.clock.clone());

    let changing = tokio::spawn(async move { database.migrate("notes", GROWN, &clock).await });
    let mut other = PgConnection::connect(&url).await.unwrap();
    let waits = timeout(Duration::from_secs(10), wait_for_the_change(&mut other));
    waits.await.expect("the change waits for the table");
    let read = other.execute(sqlx::raw_sql("SELECT COUNT(*) FROM notes.notes"));
    let read = timeout(Duration::from_secs(8), read).await;

    assert!(read.is_ok(), "a call waits behind the change for as long as another works");
    user.execute(sqlx::raw_sql("COMMIT")).await.unwrap();
    let before = changing.await.unwrap().unwrap();
    assert_eq!(before.pending, ["0002_colour"]);
}

async fn wait_for_the_change(beside: &mut PgConnection) {
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted \
                   AND relation = CAST('notes.notes' AS REGCLASS)";
    while sqlx::query(waiting).fetch_one(&mut *beside).await.unwrap().get::<i64, _>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
