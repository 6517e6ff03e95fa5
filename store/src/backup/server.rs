//! PostgreSQL schemas.

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};

use super::{BackupError, Contents, needs_sql};

/// What a session is told that waits for programs beside it: nothing ends it but its client.
const PATIENT: &str = "SET statement_timeout = 0; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = 0; SET client_min_messages = 'warning'";

/// A database held at one moment for whoever is told its name, for as long as this lives.
#[derive(Debug)]
pub struct Snapshot {
    connection: AnyConnection,
    name: String,
    server_version: i32,
}

impl Snapshot {
    /// Holds a database as it is now.
    pub async fn take(url: &str) -> Result<Self, BackupError> {
        let mut connection = connect(url).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        connection.execute(sqlx::raw_sql(begin)).await?;
        let sql = "SELECT pg_export_snapshot() AS name, \
                   CAST(current_setting('server_version_num') AS INTEGER) AS version";
        let row = sqlx::query(sql).fetch_one(&mut connection).await?;
        let (name, server_version) = (row.try_get("name")?, row.try_get("version")?);
        Ok(Self { connection, name, server_version })
    }

    /// What other sessions know it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's version, such as 170005 for 17.5.
    #[must_use]
    pub fn server_version(&self) -> i32 {
        self.server_version
    }

    /// What a schema holds at that moment; nothing when a service was never there.
    pub async fn contents(&mut self, schema: &str) -> Result<Option<Contents>, BackupError> {
        read(&mut self.connection, schema).await
    }

    /// Lets it go.
    pub async fn end(self) -> Result<(), BackupError> {
        Ok(self.connection.close().await?)
    }
}

/// What a schema holds now; nothing when a service was never there.
pub async fn contents(url: &str, schema: &str) -> Result<Option<Contents>, BackupError> {
    let mut connection = connect(url).await?;
    let contents = read(&mut connection, schema).await?;
    connection.close().await?;
    Ok(contents)
}

/// Those of some schemas that exist.
pub async fn filled_schemas(url: &str, schemas: &[&str]) -> Result<Vec<String>, BackupError> {
    let mut connection = connect(url).await?;
    let sql = "SELECT CAST(nspname AS TEXT) AS name FROM pg_namespace ORDER BY nspname";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
    connection.close().await?;
    let names = rows.iter().map(|row| row.try_get("name")).collect::<Result<Vec<String>, _>>()?;
    Ok(names.into_iter().filter(|name| schemas.contains(&name.as_str())).collect())
}

/// Gives schemas other names, all of them or none.
pub async fn rename_schemas(url: &str, names: &[(String, String)]) -> Result<(), BackupError> {
    let rename =
        |(from, to): &(String, String)| format!("ALTER SCHEMA \"{from}\" RENAME TO \"{to}\";");
    let all: Vec<_> = names.iter().map(rename).collect();
    run(url, format!("BEGIN; {} COMMIT", all.join(" "))).await
}

/// Removes schemas with all that is in them, all of them or none.
pub async fn drop_schemas(url: &str, schemas: &[&str]) -> Result<(), BackupError> {
    let drop = |name: &&str| format!("DROP SCHEMA IF EXISTS \"{name}\" CASCADE;");
    let all: Vec<_> = schemas.iter().map(drop).collect();
    run(url, format!("BEGIN; {} COMMIT", all.join(" "))).await
}

/// Runs a statement in a schema that nobody else uses.
pub async fn change_schema(url: &str, schema: &str, sql: &str) -> Result<(), BackupError> {
    run(url, format!("SET search_path TO \"{schema}\"; {sql}")).await
}

async fn run(url: &str, sql: String) -> Result<(), BackupError> {
    let mut connection = connect(url).await?;
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(connection.close().await?)
}

async fn connect(url: &str) -> Result<AnyConnection, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await?;
    connection.execute(sqlx::raw_sql(PATIENT)).await?;
    Ok(connection)
}

async fn read(
    connection: &mut AnyConnection,
    schema: &str,
) -> Result<Option<Contents>, BackupError> {
    let sql = "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = $1 \
               ORDER BY tablename";
    let rows = sqlx::query(sql).bind(schema.to_owned()).fetch_all(&mut *connection).await?;
    let tables = rows.iter().map(|row| row.try_get("name")).collect::<Result<Vec<String>, _>>()?;
    if !tables.iter().any(|table| table == "store_migrations") {
        return Ok(None);
    }
    let sql = format!("SELECT name FROM \"{schema}\".store_migrations ORDER BY create_time, name");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
    let migrations: Vec<String> =
        rows.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>()?;
    let needs = match needs_sql(&format!("\"{schema}\""), &migrations) {
        Some(sql) => {
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
            rows.iter().map(|row| row.try_get("needs")).collect::<Result<_, _>>()?
        }
        None => Vec::new(),
    };
    let mut contents = Contents { migrations, needs, ..Contents::default() };
    for table in tables {
        let sql = format!("SELECT COUNT(*) AS rows FROM \"{schema}\".\"{table}\"");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
        contents.rows.insert(table, row.try_get("rows")?);
    }
    Ok(Some(contents))
}
