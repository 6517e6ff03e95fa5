//! Migrations, and tables that fit their resources.

use store::{Database, Error, Migration, Store};
use store_testing::Engine;

use crate::notes::{Label, Note};
use crate::world::{MIGRATIONS, World, service};

static OTHER: &[Migration] = &[Migration::new(
    "0001_labels",
    "CREATE TABLE labels (id TEXT NOT NULL, name BIGINT NOT NULL, create_time BIGINT, \
     update_time BIGINT NOT NULL, etag TEXT NOT NULL)",
)];

static BROKEN: &[Migration] = &[
    MIGRATIONS[0],
    Migration::new("0002_broken", "CREATE TABLE more (a TEXT); CREATE TABLE notes (a TEXT)"),
];

static CHANGED: &[Migration] = &[Migration::new("0001_notes", "CREATE TABLE other (a TEXT)")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_open_at_once_migrate_once() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let opened = (0..6).map(|_| {
            let config = world.config("notes", world.database.open());
            tokio::spawn(Store::open(config))
        });
        for store in opened.collect::<Vec<_>>() {
            store.await.unwrap().unwrap();
        }

        let store = world.open().await;
        let shop = service("shop");
        let ran = store.read(&shop).unscoped("SELECT name FROM store_migrations").fetch_all();
        assert_eq!(ran.await.unwrap().len(), 6, "{engine:?}");
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_refused() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        world.open().await;

        let config = world.config("notes", world.database.open());
        let error = Store::open(store::Config { migrations: CHANGED, ..config }).await.unwrap_err();

        assert!(matches!(error, Error::MigrationChanged { name: "0001_notes", .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;

        let config = world.config("notes", world.database.open());
        let error = Store::open(store::Config { migrations: BROKEN, ..config }).await.unwrap_err();

        assert!(matches!(error, Error::Migration { name: "0002_broken", .. }), "{error:?}");
        let config = world.config("notes", world.database.open());
        let store = Store::open(store::Config { migrations: &[], ..config }).await.unwrap();
        assert!(matches!(store.check::<Note>().await, Err(Error::Table { .. })), "{engine:?}");
    }
}

#[tokio::test]
async fn a_table_that_does_not_fit_its_resource_is_named_with_its_columns() {
    for engine in Engine::ALL {
        let world = World::new(engine).await;
        let config = world.config("notes", world.database.open());
        let store = Store::open(store::Config { migrations: OTHER, ..config }).await.unwrap();

        let error = store.check::<Label>().await.unwrap_err();

        assert_eq!(
            error.to_string(),
            "table labels does not fit notes.v1.Label: column project text is missing; \
             column name is bigint, not text; column create_time is not NOT NULL",
            "{engine:?}"
        );
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_says_so() {
    let world = World::new(Engine::Sqlite).await;
    let config = world.config("notes", Database::sqlite("/dev/null/data"));

    let error = Store::open(config).await.unwrap_err();

    assert_eq!(error.to_string(), "/dev/null/data cannot be used to keep data");
}
