//! What the tables of a service are, beside what this version works with.

use crate::connection::Connection;
use crate::error::Error;
use crate::migrate::{Migration, NEEDS, OWN};
use crate::pool::Engine;
use crate::statement::{Row, Statement};

/// What the tables of a service are, beside what this version works with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// The migrations of this version that have run, in their order.
    pub ran: Vec<&'static str>,
    /// Those that have not, in theirs.
    pub pending: Vec<&'static str>,
    /// Those that a newer version has run, oldest first. They have left all that this version works with.
    pub newer: Vec<String>,
}

/// A migration that has run.
struct Ran {
    name: String,
    checksum: String,
}

impl Schema {
    /// What is there when nothing is.
    pub(crate) fn absent(migrations: &[Migration]) -> Self {
        let pending = OWN.iter().chain(migrations).map(Migration::name).collect();
        Self { pending, ..Self::default() }
    }

    /// Reads it, and refuses tables that are not what this version knows, or that it cannot work with.
    pub(crate) async fn read(
        connection: &mut Connection,
        service: &'static str,
        migrations: &[Migration],
    ) -> Result<Self, Error> {
        if !has_migrations(connection, service).await? {
            return Ok(Self::absent(migrations));
        }
        let ran = ran(connection).await?;
        let known: Vec<_> = OWN.iter().chain(migrations).collect();
        let mut schema = Self::default();
        for migration in &known {
            let name = migration.name();
            match ran.iter().find(|ran| ran.name == name) {
                None => schema.pending.push(name),
                Some(ran) if ran.checksum == migration.checksum() => schema.ran.push(name),
                Some(_) => return Err(Error::MigrationChanged { service, name }),
            }
        }
        let is_known = |name: &str| known.iter().any(|migration| migration.name() == name);
        schema.newer = ran.into_iter().map(|ran| ran.name).filter(|name| !is_known(name)).collect();
        if schema.ran.contains(&NEEDS) {
            refuse_contracted(connection, service, is_known).await?;
        }
        Ok(schema)
    }

    /// Refuses tables that lack what this version works with.
    pub(crate) fn refuse_older(&self, service: &'static str) -> Result<(), Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        Err(Error::SchemaOlder { service, pending: self.pending.clone() })
    }
}

async fn has_migrations(connection: &mut Connection, service: &'static str) -> Result<bool, Error> {
    let statement = match connection.engine() {
        Engine::Sqlite => {
            Statement::new("SELECT name FROM sqlite_schema WHERE name = 'store_migrations'")
        }
        Engine::Postgres => Statement::new(
            "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables \
             WHERE tablename = 'store_migrations' AND schemaname = $1",
        )
        .bind(service),
    };
    Ok(!connection.fetch(statement).await?.is_empty())
}

async fn ran(connection: &mut Connection) -> Result<Vec<Ran>, Error> {
    let sql = "SELECT name, checksum FROM store_migrations ORDER BY create_time, name";
    let rows = connection.fetch(Statement::new(sql)).await?;
    let rows = rows.into_iter().map(Row::new);
    rows.map(|row| Ok(Ran { name: row.get("name")?, checksum: row.get("checksum")? })).collect()
}

/// Refuses tables from which something was taken that this version works with.
async fn refuse_contracted(
    connection: &mut Connection,
    service: &'static str,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let sql = "SELECT name, needs FROM store_migrations WHERE needs <> '' ORDER BY name";
    let rows = connection.fetch(Statement::new(sql)).await?;
    for row in rows.into_iter().map(Row::new) {
        let needs: String = row.get("needs")?;
        if !is_known(&needs) {
            return Err(Error::SchemaNewer { service, name: row.get("name")?, needs });
        }
    }
    Ok(())
}
