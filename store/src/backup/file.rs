//! SQLite files.

use std::path::{Path, PathBuf};

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row};

use super::{BackupError, Contents, needs_sql};
use crate::database::escape;

/// How long a file may be another's alone.
const PATIENCE: &str = "PRAGMA busy_timeout = 10000";
/// What a copy is told while it is written: it is brought to the disk by whoever asked for it, and is no
/// use before. References are checked when it is whole.
const WRITING: &str =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF";

/// A file, as it was at one moment, and where its copy is made.
#[derive(Debug)]
pub struct HeldFile {
    /// The copy, with the file beside it as `source`, in a transaction that reads that moment.
    connection: AnyConnection,
    shown: String,
}

/// Holds files as they all are at one moment, each with where its copy shall be, while others write to them.
///
/// For that moment nobody writes: a writer waits for a few milliseconds.
pub async fn hold_files(files: &[(PathBuf, PathBuf)]) -> Result<Vec<HeldFile>, BackupError> {
    let mut held = Vec::new();
    let mut writers = Vec::new();
    for (from, to) in files {
        held.push(HeldFile::open(from, to).await?);
        let unreadable = |error| BackupError::Unreadable(from.display().to_string(), error);
        let mut writer = open(from, "mode=rw").await.map_err(unreadable)?;
        writer.execute(sqlx::raw_sql(PATIENCE)).await.map_err(unreadable)?;
        writers.push((writer, from));
    }
    // Nobody else takes two of them, so nobody waits in a circle.
    for (writer, from) in &mut writers {
        let begun = writer.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await;
        begun.map_err(|error| BackupError::Unreadable(from.display().to_string(), error))?;
    }
    for file in &mut held {
        file.begin().await?;
    }
    for (mut writer, from) in writers {
        let unreadable = |error| BackupError::Unreadable(from.display().to_string(), error);
        writer.execute(sqlx::raw_sql("ROLLBACK")).await.map_err(unreadable)?;
        writer.close().await.map_err(unreadable)?;
    }
    Ok(held)
}

impl HeldFile {
    async fn open(from: &Path, to: &Path) -> Result<Self, BackupError> {
        let shown = from.display().to_string();
        let unreadable = |error| BackupError::Unreadable(shown.clone(), error);
        let mut connection = open(to, "mode=rwc").await.map_err(unreadable)?;
        connection.execute(sqlx::raw_sql(WRITING)).await.map_err(unreadable)?;
        connection.execute(sqlx::raw_sql(PATIENCE)).await.map_err(unreadable)?;
        let from = std::path::absolute(from).map_err(|error| unreadable(error.into()))?;
        let attach = sqlx::query("ATTACH DATABASE $1 AS source");
        let attach = attach.bind(from.to_string_lossy().into_owned());
        attach.execute(&mut connection).await.map_err(unreadable)?;
        Ok(Self { connection, shown })
    }

    /// From its first read on, a transaction sees one state of the file.
    async fn begin(&mut self) -> Result<(), BackupError> {
        let begin = "BEGIN; SELECT COUNT(*) FROM source.sqlite_schema";
        let begun = self.connection.execute(sqlx::raw_sql(begin)).await;
        begun.map(|_| ()).map_err(|error| BackupError::Unreadable(self.shown.clone(), error))
    }

    /// Copies the file; what it held at that moment. The copy has not reached the disk when this returns.
    pub async fn copy(self) -> Result<Contents, BackupError> {
        let Self { mut connection, shown } = self;
        let copied = copy(&mut connection).await;
        let copied = copied.map_err(|error| BackupError::Unreadable(shown.clone(), error))?;
        let closed = connection.close().await;
        closed.map_err(|error| BackupError::Unreadable(shown, error))?;
        Ok(copied)
    }
}

/// Tables with their rows first, and what is made of them afterwards.
async fn copy(connection: &mut AnyConnection) -> Result<Contents, sqlx::Error> {
    let contents = contents(connection, "source").await?;
    let made = "SELECT sql FROM source.sqlite_schema \
                WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid";
    for sql in texts(&fetch(connection, made).await?)? {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    for table in contents.rows.keys() {
        let sql = format!("INSERT INTO main.\"{table}\" SELECT * FROM source.\"{table}\"");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    // Numbers that grow with every row go on where they were, whatever rows were removed since.
    let serials = "SELECT name FROM source.sqlite_schema WHERE name = 'sqlite_sequence'";
    if !fetch(connection, serials).await?.is_empty() {
        let serials = "DELETE FROM main.sqlite_sequence; \
                       INSERT INTO main.sqlite_sequence SELECT * FROM source.sqlite_sequence";
        connection.execute(sqlx::raw_sql(serials)).await?;
    }
    let made = "SELECT sql FROM source.sqlite_schema \
                WHERE type <> 'table' AND sql IS NOT NULL ORDER BY rowid";
    for sql in texts(&fetch(connection, made).await?)? {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    connection.execute(sqlx::raw_sql("COMMIT")).await?;
    Ok(contents)
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
    let contents = contents(&mut connection, "main").await.map_err(unreadable)?;
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

/// What a database of a connection holds.
async fn contents(connection: &mut AnyConnection, of: &str) -> Result<Contents, sqlx::Error> {
    let migrations = format!("SELECT name FROM {of}.store_migrations ORDER BY create_time, name");
    let migrations = texts(&fetch(connection, migrations).await?)?;
    let needs = match needs_sql(of, &migrations) {
        Some(sql) => texts(&fetch(connection, sql).await?)?,
        None => Vec::new(),
    };
    let tables = format!(
        "SELECT name FROM {of}.sqlite_schema \
         WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
    );
    let mut contents = Contents { migrations, needs, ..Contents::default() };
    for table in texts(&fetch(connection, tables).await?)? {
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {of}.\"{table}\""));
        let count = sqlx::query(count).fetch_one(&mut *connection).await?.try_get(0)?;
        contents.rows.insert(table, count);
    }
    Ok(contents)
}

async fn fetch(
    connection: &mut AnyConnection,
    sql: impl Into<String>,
) -> Result<Vec<AnyRow>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(sql.into())).fetch_all(connection).await
}

fn texts(rows: &[AnyRow]) -> Result<Vec<String>, sqlx::Error> {
    rows.iter().map(|row| row.try_get(0)).collect()
}
