//! Statements that resources do not give, and conditions on those that they do.

use std::borrow::Cow;
use std::marker::PhantomData;

use contract::{Resource, Value};

use crate::error::{Error, UnscopedStatement};
use crate::reader::Reader;
use crate::rows::Scope;
use crate::statement::{Bind, Draft, Row, Statement, read};
use crate::table;
use crate::tx::Tx;

/// Where a query runs.
#[derive(Debug)]
pub(crate) enum Source<'s> {
    Tx(&'s mut Tx),
    Reader(Reader),
}

impl Source<'_> {
    pub(crate) async fn fetch(self, statement: Statement) -> Result<Vec<Row>, Error> {
        match self {
            Self::Tx(tx) => tx.fetch(statement).await,
            Self::Reader(reader) => reader.fetch(statement).await,
        }
    }
}

/// A statement that binds the caller's project as `$1`.
#[derive(Debug)]
#[must_use = "a query does nothing until it is fetched or executed"]
pub struct Query<'s> {
    source: Source<'s>,
    statement: Statement,
    scoped: bool,
}

impl<'s> Query<'s> {
    pub(crate) fn scoped(
        source: Source<'s>,
        project: &str,
        sql: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { source, statement: Statement::new(sql).bind(project), scoped: true }
    }

    pub(crate) fn unscoped(source: Source<'s>, sql: impl Into<Cow<'static, str>>) -> Self {
        Self { source, statement: Statement::new(sql), scoped: false }
    }

    /// Binds the next value.
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.statement.values.push(value.value());
        self
    }

    /// Binds values one after another.
    pub fn bind_all<B: Bind>(mut self, values: impl IntoIterator<Item = B>) -> Self {
        self.statement.values.extend(values.into_iter().map(Bind::value));
        self
    }

    /// Its rows.
    pub async fn fetch_all(self) -> Result<Vec<Row>, Error> {
        self.refuse_unscoped()?;
        self.source.fetch(self.statement).await
    }

    /// Its first row.
    pub async fn fetch_optional(self) -> Result<Option<Row>, Error> {
        Ok(self.fetch_all().await?.into_iter().next())
    }

    /// Its first row, which a count or a sum always has.
    pub async fn fetch_one(self) -> Result<Row, Error> {
        self.fetch_optional().await?.ok_or(Error::Database(sqlx::Error::RowNotFound))
    }

    /// Runs it; answers how many rows it changed.
    pub async fn execute(self) -> Result<u64, Error> {
        self.refuse_unscoped()?;
        match self.source {
            Source::Tx(tx) => tx.execute(self.statement).await,
            // A reader has nothing to change; SQLite's would refuse.
            Source::Reader(_) => Err(Error::Ended),
        }
    }

    fn refuse_unscoped(&self) -> Result<(), Error> {
        if self.scoped && !names_project(&self.statement.sql) {
            return Err(Error::Unscoped(UnscopedStatement(self.statement.sql.to_string())));
        }
        Ok(())
    }
}

/// Whether a statement has the placeholder `$1`, and not only `$10`.
fn names_project(sql: &str) -> bool {
    sql.match_indices("$1")
        .any(|(at, _)| !sql[at + 2..].starts_with(|next: char| next.is_ascii_digit()))
}

/// Resources that fit a condition, in the caller's scope.
#[derive(Debug)]
#[must_use = "a selection does nothing until it is fetched"]
pub struct Select<'s, R> {
    source: Source<'s>,
    scope: Scope,
    values: Vec<Value>,
    condition: &'static str,
    order: &'static str,
    limit: Option<i64>,
    lock: bool,
    of: PhantomData<R>,
}

impl<'s, R: Resource + 'static> Select<'s, R> {
    pub(crate) fn new(
        source: Source<'s>,
        scope: Scope,
        project: &str,
        condition: &'static str,
    ) -> Self {
        Self {
            source,
            scope,
            values: vec![project.value()],
            condition,
            order: "id",
            limit: None,
            lock: false,
            of: PhantomData,
        }
    }

    /// Binds the next value, from `$2` on.
    pub fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.value());
        self
    }

    /// In this order, such as `create_time DESC, id`; by id when nothing is said.
    pub fn order(mut self, order: &'static str) -> Self {
        self.order = order;
        self
    }

    /// At most so many.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit.into());
        self
    }

    /// Holds the rows against other writers until the transaction ends.
    pub fn lock(mut self) -> Self {
        self.lock = true;
        self
    }

    /// All that fit.
    pub async fn fetch_all(self) -> Result<Vec<R>, Error> {
        let mut sql = Draft::new(&table::of::<R>().select, self.values);
        sql.push(format!(" AND ({})", self.condition));
        match (self.scope, R::OWNER) {
            (Scope::Nothing, _) => return Ok(Vec::new()),
            (Scope::Owner(owner), Some(column)) => {
                sql.push(format!(" AND \"{column}\" = "));
                sql.bind(Value::Text(Some(owner)));
            }
            (Scope::Owner(_) | Scope::Project, _) => {}
        }
        sql.push(format!(" ORDER BY {}", self.order));
        if let Some(limit) = self.limit {
            sql.push(" LIMIT ");
            sql.bind(Value::Integer(Some(limit)));
        }
        if let (Source::Tx(tx), true) = (&self.source, self.lock) {
            sql.push(tx.row_lock());
        }
        let statement = sql.finish();
        match self.source {
            Source::Tx(tx) => tx.fetch_resources(statement).await,
            Source::Reader(reader) => reader.fetch_raw(statement).await?.iter().map(read).collect(),
        }
    }

    /// The first that fits.
    pub async fn fetch_optional(self) -> Result<Option<R>, Error> {
        Ok(self.limit(1).fetch_all().await?.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::names_project;

    #[test]
    fn a_statement_names_its_project_by_its_own_placeholder() {
        assert!(names_project("SELECT 1 FROM t WHERE project = $1"));
        assert!(!names_project("SELECT 1 FROM t WHERE id = $10"));
    }
}
