//! What a PostgreSQL server is, for who must know before it is relied on.

use tokio::time::Instant;

use crate::connection::Connection;
use crate::database::{Database, PATIENCE, Place};
use crate::error::Error;
use crate::statement::{Row, Statement};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Such as 170005 for 17.5.
    pub version: i64,
    /// How many connections it takes, those for superusers left out.
    pub connections: i64,
    /// How many of them the role and the database may have, where that is said.
    pub limit: Option<i64>,
    /// How many it has now, of all databases.
    pub connected: i64,
    /// Its clock, in microseconds since 1970.
    pub now_micros: i64,
    /// Whether it is a copy that only reads.
    pub is_standby: bool,
    /// The settings by which it may lose what it has said is kept, such as `fsync = off`.
    pub forgetful: Vec<String>,
    /// Whether the role may make schemas in the database.
    pub makes_schemas: bool,
}

const ASK: &str = "SELECT \
    CAST(current_setting('server_version_num') AS BIGINT) AS version, \
    CAST(current_setting('max_connections') AS BIGINT) \
        - CAST(current_setting('superuser_reserved_connections') AS BIGINT) \
        - COALESCE(CAST(current_setting('reserved_connections', TRUE) AS BIGINT), 0) AS connections, \
    (SELECT CAST(COALESCE(LEAST(NULLIF(rolconnlimit, -1), NULLIF(datconnlimit, -1)), -1) AS BIGINT) \
     FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()) AS least, \
    CAST(current_setting('fsync') AS TEXT) AS fsync, \
    CAST(current_setting('full_page_writes') AS TEXT) AS full_page_writes, \
    CAST(current_setting('synchronous_commit') AS TEXT) AS synchronous_commit, \
    CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 1 ELSE 0 END AS makes_schemas, \
    (SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connected, \
    CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now_micros, \
    CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END AS is_standby";

impl Database {
    /// Asks the server what it is; nothing where there is none.
    pub async fn examine(&self) -> Result<Option<Examined>, Error> {
        let Place::Server(pool, _) = self.place() else { return Ok(None) };
        let deadline = Instant::now() + PATIENCE;
        let counts = std::sync::Arc::default();
        let mut connection = Connection::take(pool, "public", &counts, deadline).await?;
        let rows = connection.fetch(Statement::new(ASK)).await?;
        let Some(row) = rows.into_iter().next().map(Row::new) else { return Ok(None) };
        let mut forgetful = Vec::new();
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            if row.get::<String>(setting)? == "off" {
                forgetful.push(format!("{setting} = off"));
            }
        }
        Ok(Some(Examined {
            forgetful,
            makes_schemas: row.get("makes_schemas")?,
            version: row.get("version")?,
            connections: row.get("connections")?,
            limit: Some(row.get("least")?).filter(|limit| *limit >= 0),
            connected: row.get("connected")?,
            now_micros: row.get("now_micros")?,
            is_standby: row.get("is_standby")?,
        }))
    }
}
