//! SQLite files.

use std::path::Path;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};

use super::{BackupError, Contents};
use crate::database::escape;

/// How long a file may be another's alone.
const PATIENCE: &str = "PRAGMA busy_timeout = 10000";

/// Copies a file into a new one, as it is at one moment, while others write to it.
///
/// The copy has not reached the disk when this returns.
pub async fn copy_file(from: &Path, to: &Path) -> Result<(), BackupError> {
    let unreadable = |error| BackupError::Unreadable(from.display().to_string(), error);
    // Not read-only: whoever reads a WAL shares its index with the writer.
    let mut connection = open(from, "mode=rw").await.map_err(unreadable)?;
    let copied = async {
        connection.execute(sqlx::raw_sql(PATIENCE)).await?;
        let into = to.to_string_lossy().into_owned();
        sqlx::query("VACUUM INTO $1").bind(into).execute(&mut connection).await
    };
    copied.await.map_err(unreadable)?;
    connection.close().await.map_err(unreadable)
}

/// Reads a file that nobody writes to from end to end: every page, index and reference. Says what it holds.
pub async fn check_file(file: &Path) -> Result<Contents, BackupError> {
    let unreadable = |error| BackupError::Unreadable(file.display().to_string(), error);
    let damaged = |problem| BackupError::Damaged { file: file.display().to_string(), problem };
    // As it is: nothing is written beside it, and no WAL is looked for.
    let mut connection = open(file, "mode=ro&immutable=true").await.map_err(unreadable)?;
    let found = fetch(&mut connection, "PRAGMA integrity_check").await.map_err(unreadable)?;
    let said: Vec<String> = texts(&found).map_err(unreadable)?;
    if said != ["ok"] {
        return Err(damaged(said.join("; ")));
    }
    let orphans = fetch(&mut connection, "PRAGMA foreign_key_check").await.map_err(unreadable)?;
    if !orphans.is_empty() {
        return Err(damaged(format!("{} rows refer to rows that are not there", orphans.len())));
    }
    let contents = contents(&mut connection).await.map_err(unreadable)?;
    connection.close().await.map_err(unreadable)?;
    Ok(contents)
}

/// Runs a statement on a file that nobody else uses.
pub async fn change_file(file: &Path, sql: &'static str) -> Result<(), BackupError> {
    let unreadable = |error| BackupError::Unreadable(file.display().to_string(), error);
    let mut connection = open(file, "mode=rw").await.map_err(unreadable)?;
    connection.execute(sqlx::raw_sql(sql)).await.map_err(unreadable)?;
    connection.close().await.map_err(unreadable)
}

async fn open(file: &Path, how: &str) -> Result<AnyConnection, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let file = std::path::absolute(file)?;
    AnyConnection::connect(&format!("sqlite://{}?{how}", escape(&file.to_string_lossy()))).await
}

async fn contents(connection: &mut AnyConnection) -> Result<Contents, sqlx::Error> {
    let migrations = "SELECT name FROM store_migrations ORDER BY create_time, name";
    let migrations = texts(&fetch(connection, migrations).await?)?;
    let tables = "SELECT name FROM sqlite_schema \
                  WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name";
    let mut contents = Contents { migrations, ..Contents::default() };
    for table in texts(&fetch(connection, tables).await?)? {
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{table}\""));
        let count = sqlx::query(count).fetch_one(&mut *connection).await?.try_get(0)?;
        contents.rows.insert(table, count);
    }
    Ok(contents)
}

async fn fetch(
    connection: &mut AnyConnection,
    sql: &'static str,
) -> Result<Vec<AnyRow>, sqlx::Error> {
    sqlx::query(sql).fetch_all(connection).await
}

fn texts(rows: &[AnyRow]) -> Result<Vec<String>, sqlx::Error> {
    rows.iter().map(|row| row.try_get(0)).collect()
}
