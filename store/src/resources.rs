//! Resources in a transaction: read, insert, update, delete.

use std::any::TypeId;

use contract::mesh::v1::audit_record::Kind;
use contract::{Resource, Stamp, Value};

use crate::error::Error;
use crate::list::{self, List, Page};
use crate::query::{Select, Source};
use crate::rows::{self, Scope};
use crate::statement::{Statement, read};
use crate::table;
use crate::tx::Tx;

/// The columns that the store alone decides.
const STAMPED: [&str; 4] = ["id", "create_time", "update_time", "etag"];
/// The most values that one INSERT binds; SQLite takes 32,766.
const MOST_VALUES: usize = 20_000;
/// The most rows that one INSERT holds: SQLite finds a placeholder by looking through those before it.
pub(crate) const MOST_ROWS: usize = 100;

impl Tx {
    /// A resource by its id, held against other writers, or `NOT_FOUND`.
    pub async fn get<R: Resource + 'static>(&mut self, id: &str) -> Result<R, Error> {
        self.find(id).await?.ok_or_else(|| table::of::<R>().not_found(id))
    }

    /// A resource by its id, held against other writers, if there is one.
    pub async fn find<R: Resource + 'static>(&mut self, id: &str) -> Result<Option<R>, Error> {
        let Some(statement) = rows::get::<R>(&self.context, id, self.row_lock()) else {
            return Ok(None);
        };
        Ok(self.fetch_resources(statement).await?.into_iter().next())
    }

    /// A page of resources.
    pub async fn list<R: Resource + 'static>(&mut self, list: &List) -> Result<Page<R>, Error> {
        let Some(plan) = list::plan::<R>(&self.context, list)? else { return Ok(Page::default()) };
        let rows = self.fetch_resources(plan.statement.clone()).await?;
        plan.page(rows)
    }

    /// Resources that fit a condition in SQL, with values bound from `$2` on.
    pub fn select<R: Resource + 'static>(&mut self, condition: &'static str) -> Select<'_, R> {
        let scope = Scope::of::<R>(&self.context);
        let project = self.context.caller.project().to_owned();
        Select::new(Source::Tx(self), scope, &project, condition)
    }

    /// Keeps a new resource; an empty id becomes a new one.
    pub async fn insert<R: Resource + 'static>(&mut self, resource: R) -> Result<R, Error> {
        let resource = self.stamp_new(resource);
        let statement = Statement::new(table::of::<R>().insert_one.as_str())
            .bind(self.context.caller.project())
            .binds(values(&resource));
        let inserted = self.execute(statement).await;
        inserted.map_err(|error| table::of::<R>().or_already_exists(error))?;
        self.inserted(&resource);
        Ok(resource)
    }

    /// Keeps new resources, in few statements.
    pub async fn insert_all<R: Resource + 'static>(
        &mut self,
        resources: Vec<R>,
    ) -> Result<Vec<R>, Error> {
        let table = table::of::<R>();
        let width = R::COLUMNS.len() + 1;
        let rows = (MOST_VALUES / width).clamp(1, MOST_ROWS);
        let resources: Vec<R> =
            resources.into_iter().map(|resource| self.stamp_new(resource)).collect();
        for chunk in resources.chunks(rows) {
            let sql = format!("{}{}", table.insert, table::placeholders(chunk.len(), width));
            let mut statement = Statement::new(sql)
                .bind(self.context.caller.project())
                .binds(chunk.iter().flat_map(values));
            statement.persistent = chunk.len() == rows;
            let inserted = self.execute(statement).await;
            inserted.map_err(|error| table.or_already_exists(error))?;
            for resource in chunk {
                self.inserted(resource);
            }
        }
        Ok(resources)
    }

    /// Writes what a resource has that differs from what is stored; answers it as it is stored now.
    ///
    /// An etag in the message must be the stored one. Nothing is written when nothing differs.
    pub async fn update<R: Resource + 'static>(&mut self, resource: &R) -> Result<R, Error> {
        let table = table::of::<R>();
        let stored: R = self.known(resource.id()).await?;
        if !resource.etag().is_empty() && resource.etag() != stored.etag() {
            return Err(table.stale(resource.id()));
        }
        let before = values(&stored);
        let changed = changed::<R>(&before, &values(resource));
        if changed.is_empty() {
            return Ok(stored);
        }
        let mut next = resource.clone();
        let stamp = self.stamp(create_time::<R>(&before));
        next.stamp(stamp);
        let statement = update_statement::<R>(&changed)
            .bind(self.context.caller.project())
            .bind(next.id())
            .bind(stored.etag())
            .binds(written::<R>(&changed, values(&next)));
        let updated = self.execute(statement).await;
        if updated.map_err(|error| table.or_already_exists(error))? == 0 {
            return Err(table.stale(resource.id()));
        }
        let columns = changed.iter().map(|at| R::COLUMNS[*at].name).collect::<Vec<_>>().join(",");
        self.note::<R>(next.id(), Kind::Update, columns);
        self.remember(&next);
        Ok(next)
    }

    /// Removes a resource; an etag that is not empty must be the stored one.
    pub async fn delete<R: Resource + 'static>(
        &mut self,
        id: &str,
        etag: &str,
    ) -> Result<(), Error> {
        let table = table::of::<R>();
        let stored: R = self.known(id).await?;
        if !etag.is_empty() && etag != stored.etag() {
            return Err(table.stale(id));
        }
        let statement = Statement::new(table.delete.as_str())
            .bind(self.context.caller.project())
            .bind(id)
            .bind(stored.etag());
        if self.execute(statement).await? == 0 {
            return Err(table.stale(id));
        }
        self.note::<R>(id, Kind::Delete, String::new());
        self.known.remove(&(TypeId::of::<R>(), id.to_owned()));
        Ok(())
    }

    /// Reads resources, and remembers them for what updates compare with.
    pub(crate) async fn fetch_resources<R: Resource + 'static>(
        &mut self,
        statement: Statement,
    ) -> Result<Vec<R>, Error> {
        let rows = self.fetch_raw(statement).await?;
        let resources: Vec<R> = rows.iter().map(read).collect::<Result<_, _>>()?;
        for resource in &resources {
            self.remember(resource);
        }
        Ok(resources)
    }

    /// A resource as this transaction last knew it, read if it does not know it.
    async fn known<R: Resource + 'static>(&mut self, id: &str) -> Result<R, Error> {
        let known = self.known.get(&(TypeId::of::<R>(), id.to_owned()));
        match known.and_then(|known| known.downcast_ref::<R>()) {
            Some(known) => Ok(known.clone()),
            None => self.get(id).await,
        }
    }

    fn stamp_new<R: Resource>(&self, mut resource: R) -> R {
        let id = resource.id().is_empty().then(|| self.store.inner.ids.next(R::ID_PREFIX));
        let stamp = self.stamp(Some(self.store.inner.clock.now()));
        resource.stamp(Stamp { id, ..stamp });
        resource
    }

    fn stamp(&self, create_time: Option<prost_types::Timestamp>) -> Stamp {
        // The random half of an id is enough to tell one state of a row from another.
        let mut etag = self.store.inner.ids.next("etag");
        let etag = etag.split_off(etag.len() - 16);
        Stamp { id: None, create_time, update_time: self.store.inner.clock.now(), etag }
    }

    fn inserted<R: Resource + 'static>(&mut self, resource: &R) {
        self.note::<R>(resource.id(), Kind::Create, String::new());
        self.remember(resource);
    }
}

fn values<R: Resource>(resource: &R) -> Vec<Value> {
    let mut values = Vec::with_capacity(R::COLUMNS.len());
    resource.write(&mut values);
    values
}

/// Where two states differ, less what the store decides.
fn changed<R: Resource>(before: &[Value], after: &[Value]) -> Vec<usize> {
    let differs =
        |at: &usize| before[*at] != after[*at] && !STAMPED.contains(&R::COLUMNS[*at].name);
    (0..R::COLUMNS.len()).filter(differs).collect()
}

fn create_time<R: Resource>(values: &[Value]) -> Option<prost_types::Timestamp> {
    let at = R::COLUMNS.iter().position(|column| column.name == "create_time")?;
    match &values[at] {
        Value::Timestamp(time) => *time,
        Value::Text(_) | Value::Integer(_) | Value::Double(_) | Value::Bytes(_) => None,
    }
}

/// `UPDATE "orders" SET "state" = $4, … WHERE project = $1 AND id = $2 AND etag = $3`
fn update_statement<R: Resource>(changed: &[usize]) -> Statement {
    let columns = columns_written::<R>(changed).enumerate();
    let set: Vec<_> = columns
        .map(|(at, column)| format!("\"{}\" = ${}", R::COLUMNS[column].name, at + 4))
        .collect();
    let set = set.join(", ");
    let table = R::TABLE;
    Statement::new(format!(
        "UPDATE \"{table}\" SET {set} WHERE project = $1 AND id = $2 AND etag = $3"
    ))
}

/// The values that an update writes.
fn written<R: Resource>(changed: &[usize], mut values: Vec<Value>) -> Vec<Value> {
    let columns: Vec<_> = columns_written::<R>(changed).collect();
    let mut at = 0..;
    values.retain(|_| at.next().is_some_and(|at| columns.contains(&at)));
    values
}

/// The columns that an update writes: what changed, and what the store decides at each change.
fn columns_written<R: Resource>(changed: &[usize]) -> impl Iterator<Item = usize> {
    (0..R::COLUMNS.len())
        .filter(|at| changed.contains(at) || matches!(R::COLUMNS[*at].name, "update_time" | "etag"))
}
