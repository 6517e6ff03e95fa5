//! Migrations: each runs once, in order, and is never changed after.
//!
//! Tables grow while older replicas go on working with them. What a migration takes away, it takes from
//! versions that it names: see `docs/decisions/0021-tables-grow-before-they-shrink.md`.

use std::time::Duration;

use base64::Engine as _;
use mesh::Clock;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::connection::{Connection, Counts};
use crate::database::{PATIENCE, lock_schema};
use crate::error::Error;
use crate::pool::{Engine, Pool};
use crate::schema::Schema;
use crate::statement::Statement;

/// The store's own tables, before those of the service.
pub(crate) const OWN: &[Migration] = &[
    Migration::new("store/0001", include_str!("../migrations/0001_store.sql")),
    Migration::new("store/0002_tasks", include_str!("../migrations/0002_tasks.sql")),
    Migration::new("store/0003_outbox", include_str!("../migrations/0003_outbox.sql")),
    Migration::new(NEEDS, include_str!("../migrations/0004_needs.sql")),
    Migration::new("store/0005_refusals", include_str!("../migrations/0005_refusals.sql")),
];
/// From here on it is written down what a version must know.
pub(crate) const NEEDS: &str = "store/0004_needs";

/// How long a change of a table that is in use waits for it. Calls that come meanwhile wait behind it.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";
/// How often it is tried, and how long calls are let through in between.
const ATTEMPTS: u32 = 30;
const LET_THROUGH: Duration = Duration::from_secs(1);

/// A change of a service's tables: SQL that both databases take.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    name: &'static str,
    sql: &'static str,
    /// The migration that a version must know to work with the tables after this one; empty for any.
    needs: &'static str,
}

impl Migration {
    /// A migration after which older versions go on working, such as
    /// `Migration::new("0001_orders", include_str!("../migrations/0001_orders.sql"))`.
    #[must_use]
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, needs: "" }
    }

    /// A migration that takes away what versions work with that do not know the migration `needs`: from then
    /// on they refuse the tables.
    #[must_use]
    pub const fn contracting(name: &'static str, sql: &'static str, needs: &'static str) -> Self {
        Self { name, sql, needs }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn checksum(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(self.sql))
    }
}

/// Runs the migrations that have not run; what the tables were before.
///
/// A change that would have to wait for a table lets calls through, and comes again.
pub(crate) async fn run(
    pool: &Pool,
    service: &'static str,
    migrations: &[Migration],
    clock: &Clock,
) -> Result<Schema, Error> {
    let mut attempt = 1;
    loop {
        let tried = attempt_all(pool, service, migrations, clock).await;
        match tried {
            Err(error) if attempt < ATTEMPTS && is_in_the_way(&error) => {
                tracing::info!(service, attempt, "a table is in use; its change is tried again");
                attempt += 1;
                sleep(LET_THROUGH).await;
            }
            tried => return tried,
        }
    }
}

fn is_in_the_way(error: &Error) -> bool {
    match error {
        Error::Migration { cause, .. } => matches!(**cause, Error::Conflict(_)),
        error => matches!(error, Error::Conflict(_)),
    }
}

async fn attempt_all(
    pool: &Pool,
    service: &'static str,
    migrations: &[Migration],
    clock: &Clock,
) -> Result<Schema, Error> {
    let counts = std::sync::Arc::<Counts>::default();
    let deadline = Instant::now() + PATIENCE;
    let mut connection = Connection::take(pool, service, &counts, deadline).await?;
    connection.begin().await?;
    lock_schema(&mut connection, service).await?;
    if connection.engine() == Engine::Postgres {
        connection.raw(LOCK_TIMEOUT.into()).await?;
    }
    let create = "CREATE TABLE IF NOT EXISTS store_migrations (\
        name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, create_time BIGINT NOT NULL)";
    connection.raw(create.into()).await?;
    let before = Schema::read(&mut connection, service, migrations).await?;
    for migration in OWN.iter().chain(migrations) {
        let name = migration.name;
        if before.pending.contains(&name) {
            apply(&mut connection, migration, clock).await.map_err(|cause| Error::Migration {
                service,
                name,
                cause: Box::new(cause),
            })?;
        }
    }
    connection.commit("migrate").await?;
    Ok(before)
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
    connection.execute(record).await?;
    if migration.needs.is_empty() {
        return Ok(());
    }
    let needs = Statement::new("UPDATE store_migrations SET needs = $1 WHERE name = $2");
    connection.execute(needs.bind(migration.needs).bind(migration.name)).await.map(|_| ())
}
