//! Migrations: each runs once, in order, and is never changed after.

use std::collections::HashMap;

use base64::Engine as _;
use mesh::Clock;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::connection::{Connection, Counts};
use crate::database::{PATIENCE, lock_schema};
use crate::error::Error;
use crate::pool::{Engine, Pool};
use crate::statement::{Row, Statement};

/// The store's own tables, before those of the service.
pub(crate) const OWN: &[Migration] = &[
    Migration::new("store/0001", include_str!("../migrations/0001_store.sql")),
    Migration::new("store/0002_tasks", include_str!("../migrations/0002_tasks.sql")),
    Migration::new("store/0003_outbox", include_str!("../migrations/0003_outbox.sql")),
];

/// A change of a service's tables: SQL that both databases take.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    name: &'static str,
    sql: &'static str,
}

impl Migration {
    /// A migration, such as `Migration::new("0001_orders", include_str!("../migrations/0001_orders.sql"))`.
    #[must_use]
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    fn checksum(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(self.sql))
    }
}

/// Runs the migrations that have not run.
pub(crate) async fn run(
    pool: &Pool,
    service: &'static str,
    migrations: &[Migration],
    clock: &Clock,
) -> Result<(), Error> {
    let counts = std::sync::Arc::<Counts>::default();
    let deadline = Instant::now() + PATIENCE;
    let mut connection = Connection::take(pool, service, &counts, deadline).await?;
    connection.begin().await?;
    lock_schema(&mut connection, service).await?;
    let create = "CREATE TABLE IF NOT EXISTS store_migrations (\
        name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, create_time BIGINT NOT NULL)";
    connection.raw(create.into()).await?;
    let ran = ran(&mut connection).await?;
    for migration in OWN.iter().chain(migrations) {
        let name = migration.name;
        match ran.get(name) {
            Some(checksum) if *checksum == migration.checksum() => {}
            Some(_) => return Err(Error::MigrationChanged { service, name }),
            None => apply(&mut connection, migration, clock)
                .await
                .map_err(|cause| Error::Migration { service, name, cause: Box::new(cause) })?,
        }
    }
    connection.commit("migrate").await
}

async fn ran(connection: &mut Connection) -> Result<HashMap<String, String>, Error> {
    let rows = connection.fetch(Statement::new("SELECT name, checksum FROM store_migrations"));
    let rows = rows.await?.into_iter().map(Row::new);
    rows.map(|row| Ok((row.get("name")?, row.get("checksum")?))).collect()
}

async fn apply(
    connection: &mut Connection,
    migration: &Migration,
    clock: &Clock,
) -> Result<(), Error> {
    let serial = match connection.engine() {
        Engine::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        Engine::Postgres => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    };
    connection.raw(migration.sql.replace("{serial}", serial)).await?;
    let record = Statement::new(
        "INSERT INTO store_migrations (name, checksum, create_time) VALUES ($1, $2, $3)",
    );
    let record = record.bind(migration.name).bind(migration.checksum()).bind(clock.now_micros());
    connection.execute(record).await.map(|_| ())
}
