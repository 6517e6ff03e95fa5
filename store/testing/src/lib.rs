//! Databases for tests: SQLite files, PostgreSQL databases on a server of the tests' own, and servers of Redis.
//!
//! The server is the one that `TRADEWIND_TEST_POSTGRES` names, or one that the test process starts
//! and that ends with it.

mod redis;
mod server;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use store::{DEFAULT_CONNECTIONS, Database};
use tempfile::TempDir;

pub use redis::Redis;
pub use server::Server;

/// Names the server that tests use, as a URL of its maintenance database.
pub const SERVER_VARIABLE: &str = "TRADEWIND_TEST_POSTGRES";

/// The locale of databases as the store wants them.
const LOCALE: &str = "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'";

/// The two databases that one SQL text serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file for each service.
    Sqlite,
    /// A schema for each service.
    Postgres,
}

impl Engine {
    /// Both; a test of SQL runs on each.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// A database for one test, gone when it is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Files(TempDir),
    Server { server: String, name: String },
}

impl TestDatabase {
    /// The database as a process opens it; opened again, it is as a process finds it that starts anew.
    #[must_use]
    pub fn open(&self) -> Database {
        match &self.place {
            Place::Files(directory) => Database::sqlite(directory.path()),
            Place::Server { .. } => self.open_with(DEFAULT_CONNECTIONS),
        }
    }

    /// The database with so many connections; SQLite has its own number.
    #[must_use]
    pub fn open_with(&self, connections: usize) -> Database {
        match &self.place {
            Place::Files(directory) => Database::sqlite(directory.path()),
            Place::Server { server, name } => Database::postgres(of(server, name), connections),
        }
    }

    /// The URL of the PostgreSQL database, or the directory of the SQLite files.
    #[must_use]
    pub fn location(&self) -> String {
        match &self.place {
            Place::Files(directory) => directory.path().display().to_string(),
            Place::Server { server, name } => of(server, name),
        }
    }
}

/// A database of its own for a test.
///
/// # Panics
///
/// When there is no PostgreSQL to be had; the message says what to install.
pub async fn database(engine: Engine) -> TestDatabase {
    let made = match engine {
        Engine::Sqlite => tempfile::tempdir().map(Place::Files).map_err(|error| error.to_string()),
        Engine::Postgres => create(LOCALE).await,
    };
    match made {
        Ok(place) => TestDatabase { place },
        Err(problem) => panic!("no database for the test: {problem}"),
    }
}

/// A PostgreSQL database whose collation is another, as `CREATE DATABASE` says it.
///
/// # Panics
///
/// When there is no PostgreSQL to be had, or it has no such locale.
pub async fn collated(locale: &str) -> TestDatabase {
    match create(locale).await {
        Ok(place) => TestDatabase { place },
        Err(problem) => panic!("no database for the test: {problem}"),
    }
}

async fn create(locale: &str) -> Result<Place, String> {
    let server =
        tokio::task::spawn_blocking(server_url).await.map_err(|error| error.to_string())??;
    create_on(server, locale).await
}

async fn create_on(server: String, locale: &str) -> Result<Place, String> {
    let chance = RandomState::new().build_hasher().finish();
    let name = format!("test_{}_{chance:016x}", std::process::id());
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {locale}");
    run(&server, create).await.map_err(|error| error.to_string())?;
    Ok(Place::Server { server, name })
}

/// The server's URL; it starts when it is first asked for.
fn server_url() -> Result<String, String> {
    static STARTED: OnceLock<Result<Server, String>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "tests have no command line of their own")]
    if let Ok(url) = std::env::var(SERVER_VARIABLE) {
        return Ok(url);
    }
    // Never dropped: it ends when the process does.
    STARTED.get_or_init(|| Server::start(false)).as_ref().map(Server::url).map_err(Clone::clone)
}

async fn run(url: &str, sql: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    connection.close().await
}

/// The URL of another database on the same server.
fn of(server: &str, name: &str) -> String {
    let (address, options) = server.split_once('?').unwrap_or((server, ""));
    let host = address.find("://").map_or(0, |scheme| scheme + 3);
    let end = address[host..].find('/').map_or(address.len(), |slash| host + slash);
    let address = &address[..end];
    format!("{address}/{name}?{options}")
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Place::Server { server, name } = &self.place else { return };
        let (server, sql) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // A runtime of its own: the test's may be ending. What is left ends with the server.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(run(&server, sql)))
        });
        let _ = dropped.join();
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn another_database_keeps_the_servers_address_and_options() {
        assert_eq!(of("postgres:///postgres?host=/tmp/x", "a"), "postgres:///a?host=/tmp/x");
        assert_eq!(of("postgres://u@h:1/postgres", "a"), "postgres://u@h:1/a?");
        assert_eq!(of("postgres://u@h:1", "a"), "postgres://u@h:1/a?");
    }
}
