//! Copies of what services remember, made while they work, and what is needed to bring them back.
//!
//! SQLite files are held at one state, all together, by [`hold_files`], and copied while their writers go
//! on. A PostgreSQL database is held at one state by a [`Snapshot`], in which `pg_dump` copies one schema
//! after another. Either way a copy is what a crash of everything would have left at that moment.

mod file;
mod server;

use std::collections::BTreeMap;

use crate::migrate::{Migration, NEEDS, OWN};

pub use file::{HeldFile, change_file, check_file, hold_files};
pub use server::{Snapshot, change_schema, contents, drop_schemas, filled_schemas, rename_schemas};

/// What a service's database holds, as far as two copies of it must be alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The migrations that it has run, oldest first.
    pub migrations: Vec<String>,
    /// Those that a version must know to work with its tables, since something was taken from them.
    pub needs: Vec<String>,
    /// How many rows each table has.
    pub rows: BTreeMap<String, i64>,
}

/// Why a copy could not be made, read or brought back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database did not do what it was asked.
    #[error("{0} cannot be read as a database")]
    Unreadable(String, #[source] sqlx::Error),
    /// A file is there, and not whole.
    #[error("{file} is damaged: {problem}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server cannot be reached, or refuses.
    #[error("the database server does not do what it is asked")]
    Server(#[from] sqlx::Error),
}

/// The names of all migrations that a service of this version runs, its store's own among them.
#[must_use]
pub fn migration_names(migrations: &[Migration]) -> Vec<&'static str> {
    OWN.iter().chain(migrations).map(Migration::name).collect()
}

/// Asks for what a version must know, of tables that have run these migrations: where they are older, it is
/// nothing.
fn needs_sql(of: &str, ran: &[String]) -> Option<String> {
    let is_told = ran.iter().any(|name| name == NEEDS);
    let sql = "SELECT DISTINCT needs FROM";
    is_told.then(|| format!("{sql} {of}.store_migrations WHERE needs <> '' ORDER BY needs"))
}
