//! Where services remember: a SQLite file each, or a schema each in one PostgreSQL database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mesh::Clock;
use tokio::time::Instant;

use crate::bells::Bells;
use crate::connection::Connection;
use crate::error::{Error, repeated_columns};
use crate::migrate::{self, Migration};
use crate::pool::{Dial, Engine, Pool};
use crate::schema::Schema;
use crate::statement::{Row, Statement};

/// The connections of a process to one PostgreSQL server, when nothing else is said.
pub const DEFAULT_CONNECTIONS: usize = 24;
/// How many readers a SQLite file has beside its writer.
const SQLITE_READERS: usize = 4;
/// How long work without a deadline waits for a connection or another call.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// WAL lets readers go on beside the writer; FULL makes a commit outlive a power cut.
const SQLITE_WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF";
const SQLITE_READER: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF";
/// What hangs is ended by the server, even when this process no longer can.
const POSTGRES: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '30s'; SET client_min_messages = 'warning'";

/// Where services remember. Clones share connections.
#[derive(Debug, Clone)]
pub struct Database {
    place: Place,
    /// Whether somebody else brings tables up to date.
    is_migrated: bool,
    /// Whether writers that meet on SQLite share a commit.
    shares_commits: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Place {
    Directory(PathBuf),
    Server(Pool, Arc<Bells>),
}

/// The connections of one service.
#[derive(Debug, Clone)]
pub(crate) struct Pools {
    pub(crate) write: Pool,
    pub(crate) read: Pool,
    /// How replicas wake each other, where there can be several.
    pub(crate) bells: Option<Arc<Bells>>,
}

impl Database {
    /// A SQLite file for each service in a directory, which is made when it is missing.
    #[must_use]
    pub fn sqlite(directory: impl Into<PathBuf>) -> Self {
        Self::at(Place::Directory(directory.into()))
    }

    /// A schema for each service in a PostgreSQL database; all share so many connections.
    #[must_use]
    pub fn postgres(url: impl Into<String>, connections: usize) -> Self {
        let mut url = url.into();
        // Every service has its own statements, and all may pass through one connection.
        if !url.contains("statement-cache-capacity") {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("statement-cache-capacity=1000");
        }
        let dial = Dial {
            engine: Engine::Postgres,
            url: url.clone(),
            setup: POSTGRES,
            // Its backends flush the log for each other.
            shares_commits: false,
        };
        let pool = Pool::new(dial, connections);
        let bells = Bells::new(pool.clone(), url);
        Self::at(Place::Server(pool, bells))
    }

    fn at(place: Place) -> Self {
        Self { place, is_migrated: false, shares_commits: true }
    }

    /// The same, whose tables somebody else brings up to date: a store that finds older ones is refused, and
    /// nothing is asked for that a role without the right to make tables may not do.
    #[must_use]
    pub fn migrated(self) -> Self {
        Self { is_migrated: true, ..self }
    }

    /// The same, where each write to SQLite waits for the disk by itself: what sharing is measured beside.
    #[must_use]
    pub fn committing_alone(self) -> Self {
        Self { shares_commits: false, ..self }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Brings the tables of a service to this version; what they were before. Several may do so at once: one
    /// does, and the others find it done.
    pub async fn migrate(
        &self,
        service: &'static str,
        migrations: &[Migration],
        clock: &Clock,
    ) -> Result<Schema, Error> {
        let pools = self.prepare(service).await?;
        migrate::run(&pools.write, service, migrations, clock).await
    }

    /// What the tables of a service are. Nothing is changed, nor made where there is nothing.
    pub async fn schema(
        &self,
        service: &'static str,
        migrations: &[Migration],
    ) -> Result<Schema, Error> {
        let pools = match &self.place {
            Place::Directory(directory) if !file(directory, service)?.exists() => {
                return Ok(Schema::absent(migrations));
            }
            Place::Directory(directory) => self.files(directory, service)?,
            Place::Server(pool, bells) => shared(pool, bells),
        };
        let deadline = Instant::now() + PATIENCE;
        let mut connection =
            Connection::take(&pools.read, service, &Arc::default(), deadline).await?;
        refuse_collation(&mut connection).await?;
        Schema::read(&mut connection, service, migrations).await
    }

    /// The connections of a service, whose tables are those of this version when they are there.
    pub(crate) async fn open(
        &self,
        service: &'static str,
        migrations: &[Migration],
        clock: &Clock,
    ) -> Result<Pools, Error> {
        if self.is_migrated {
            self.schema(service, migrations).await?.refuse_older(service)?;
            return match &self.place {
                Place::Directory(directory) => self.files(directory, service),
                Place::Server(pool, bells) => Ok(shared(pool, bells)),
            };
        }
        let pools = self.prepare(service).await?;
        migrate::run(&pools.write, service, migrations, clock).await?;
        Ok(pools)
    }

    /// The connections of a service, whose schema or directory is there when they are.
    async fn prepare(&self, service: &'static str) -> Result<Pools, Error> {
        match &self.place {
            Place::Directory(directory) => {
                std::fs::create_dir_all(directory).map_err(unusable(directory))?;
                self.files(directory, service)
            }
            Place::Server(pool, bells) => {
                prepare_schema(pool, service).await?;
                Ok(shared(pool, bells))
            }
        }
    }

    fn files(&self, directory: &Path, service: &'static str) -> Result<Pools, Error> {
        let file = file(directory, service)?;
        let path = escape(&file.to_string_lossy());
        let dial = |mode, setup| Dial {
            engine: Engine::Sqlite,
            url: format!("sqlite://{path}?mode={mode}"),
            setup,
            shares_commits: self.shares_commits,
        };
        Ok(Pools {
            // One writer: SQLite's own queue of writers is unfair, and starves readers.
            write: Pool::new(dial("rwc", SQLITE_WRITER), 1),
            read: Pool::new(dial("rw", SQLITE_READER), SQLITE_READERS),
            bells: None,
        })
    }
}

/// The connections that all services of a server share.
fn shared(pool: &Pool, bells: &Arc<Bells>) -> Pools {
    Pools { write: pool.clone(), read: pool.clone(), bells: Some(Arc::clone(bells)) }
}

fn unusable(directory: &Path) -> impl Fn(std::io::Error) -> Error {
    move |cause| Error::Directory { path: directory.display().to_string(), cause }
}

/// The file of a service.
fn file(directory: &Path, service: &str) -> Result<PathBuf, Error> {
    std::path::absolute(directory.join(format!("{service}.db"))).map_err(unusable(directory))
}

/// A path as a URL holds it.
pub(crate) fn escape(path: &str) -> String {
    let letters = path.bytes().map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    letters.collect::<Vec<_>>().concat()
}

async fn prepare_schema(pool: &Pool, service: &'static str) -> Result<(), Error> {
    match make_schema(pool, service).await {
        // A session that has looked for the schema in vain may not know yet that another has made it since.
        Err(error) if repeated_columns(&error).is_some() => make_schema(pool, service).await,
        made => made,
    }
}

async fn make_schema(pool: &Pool, service: &'static str) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    let mut connection = Connection::take(pool, service, &Arc::default(), deadline).await?;
    refuse_collation(&mut connection).await?;
    connection.begin().await?;
    lock_schema(&mut connection, service).await?;
    connection.raw(format!("CREATE SCHEMA IF NOT EXISTS \"{service}\"")).await?;
    connection.commit("open").await
}

/// Holds other processes that open the same service until the transaction ends.
pub(crate) async fn lock_schema(
    connection: &mut Connection,
    service: &'static str,
) -> Result<(), Error> {
    if connection.engine() == Engine::Postgres {
        // A migration may take its time, and so may who waits for it.
        let lock = format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
             DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('tradewind.{service}')); END $$"
        );
        connection.raw(lock).await?;
    }
    Ok(())
}

async fn refuse_collation(connection: &mut Connection) -> Result<(), Error> {
    if connection.engine() == Engine::Sqlite {
        return Ok(());
    }
    let rows = connection
        .fetch(Statement::new(
            "SELECT CAST(current_database() AS TEXT) AS name, \
                    CAST(current_setting('server_encoding') AS TEXT) AS encoding, \
                    CAST(datcollate AS TEXT) AS collation, \
                    CAST('Z' < 'a' AND 'a-b' < 'aa' AND 'b' < 'é' AS INTEGER) AS by_bytes \
             FROM pg_database WHERE datname = current_database()",
        ))
        .await?;
    let Some(row) = rows.into_iter().next().map(Row::new) else { return Ok(()) };
    let encoding: String = row.get("encoding")?;
    if row.get("by_bytes")? && encoding == "UTF8" {
        return Ok(());
    }
    Err(Error::Collation { name: row.get("name")?, encoding, collation: row.get("collation")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_any_character_becomes_a_url() {
        assert_eq!(escape("/data/a b?c%d"), "/data/a%20b%3Fc%25d");
    }
}
