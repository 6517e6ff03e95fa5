//! Reads outside of transactions.

use std::borrow::Cow;

use contract::Resource;
use mesh::Context;
use sqlx::any::AnyRow;

use crate::error::Error;
use crate::list::{List, Page};
use crate::query::{Query, Select, Source};
use crate::rows::{self, Scope};
use crate::statement::{Row, Statement, read};
use crate::store::{Store, deadline};
use crate::{list, table};

/// Reads for one call, in its caller's scope; each statement takes a connection and gives it back.
#[derive(Debug, Clone)]
pub struct Reader {
    store: Store,
    context: Context,
}

impl Reader {
    pub(crate) fn new(store: Store, context: Context) -> Self {
        Self { store, context }
    }

    /// A resource by its id, or `NOT_FOUND`.
    pub async fn get<R: Resource + 'static>(&self, id: &str) -> Result<R, Error> {
        self.find(id).await?.ok_or_else(|| table::of::<R>().not_found(id))
    }

    /// A resource by its id, if there is one.
    pub async fn find<R: Resource + 'static>(&self, id: &str) -> Result<Option<R>, Error> {
        let Some(statement) = rows::get::<R>(&self.context, id, "") else { return Ok(None) };
        self.fetch_raw(statement).await?.first().map(read).transpose()
    }

    /// A page of resources.
    pub async fn list<R: Resource + 'static>(&self, list: &List) -> Result<Page<R>, Error> {
        let Some(plan) = list::plan::<R>(&self.context, list)? else { return Ok(Page::default()) };
        let rows = self.fetch_raw(plan.statement.clone()).await?;
        plan.page(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// Resources that fit a condition in SQL, with values bound from `$2` on.
    pub fn select<R: Resource + 'static>(&self, condition: &'static str) -> Select<'static, R> {
        let scope = Scope::of::<R>(&self.context);
        Select::new(Source::Reader(self.clone()), scope, self.context.caller.project(), condition)
    }

    /// A query that binds the project as `$1`.
    pub fn query(&self, sql: impl Into<Cow<'static, str>>) -> Query<'static> {
        Query::scoped(Source::Reader(self.clone()), self.context.caller.project(), sql)
    }

    /// A query over all projects.
    pub fn unscoped(&self, sql: impl Into<Cow<'static, str>>) -> Query<'static> {
        Query::unscoped(Source::Reader(self.clone()), sql)
    }

    pub(crate) async fn fetch(&self, statement: Statement) -> Result<Vec<Row>, Error> {
        Ok(self.fetch_raw(statement).await?.into_iter().map(Row::new).collect())
    }

    pub(crate) async fn fetch_raw(&self, statement: Statement) -> Result<Vec<AnyRow>, Error> {
        // A transaction may have failed on what shares a commit with it that is still to come; a reader, which
        // sees what is committed, would find nothing there.
        if !self.context.has_open_transaction() {
            self.context.kept().await.map_err(|_| Error::NotCommitted)?;
        }
        self.store.fetch_raw(statement, deadline(&self.context)).await
    }
}
