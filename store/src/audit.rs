//! Who changed what: a record of every write of a resource, in its transaction.

use async_trait::async_trait;
use contract::Resource;
use contract::mesh::v1::audit_record::Kind;
use contract::mesh::v1::{
    AuditRecord, ListAuditRecordsRequest, ListAuditRecordsResponse, ListWaitingRequest,
    ListWaitingResponse,
};
use mesh::clock::timestamp;
use mesh::{Auditor, Context, Principal, Status};

use crate::error::Error;
use crate::list::page_size;
use crate::resources::MOST_ROWS;
use crate::statement::{Bind, Draft, Row, Statement};
use crate::store::{Store, deadline};
use crate::table;
use crate::tx::Tx;

/// A change that this transaction has made.
#[derive(Debug)]
pub(crate) struct Change {
    resource: &'static str,
    id: String,
    kind: Kind,
    columns: String,
}

impl Change {
    pub(crate) fn new(resource: &'static str, id: &str, kind: Kind, columns: String) -> Self {
        Self { resource, id: id.to_owned(), kind, columns }
    }
}

#[async_trait]
impl Auditor for Store {
    async fn records(
        &self,
        context: &Context,
        asked: &ListAuditRecordsRequest,
    ) -> Result<ListAuditRecordsResponse, Status> {
        Ok(self.audit(context, asked).await?)
    }

    async fn waiting(
        &self,
        context: &Context,
        asked: &ListWaitingRequest,
    ) -> Result<ListWaitingResponse, Status> {
        Ok(self.list_waiting(context, asked).await?)
    }
}

impl Store {
    /// Who changed what in the caller's project, the latest first.
    pub async fn audit(
        &self,
        context: &Context,
        asked: &ListAuditRecordsRequest,
    ) -> Result<ListAuditRecordsResponse, Error> {
        let size = page_size(asked.page_size)?;
        let project = context.caller.project().value();
        let mut sql = Draft::new("SELECT * FROM store_audit WHERE project = $1", vec![project]);
        let filters = [
            ("resource = ", &asked.resource),
            ("resource_id = ", &asked.resource_id),
            ("id < ", &asked.page_token),
        ];
        for (condition, value) in filters {
            if !value.is_empty() {
                sql.push(format!(" AND {condition}"));
                sql.bind(value.value());
            }
        }
        sql.push(" ORDER BY id DESC LIMIT ");
        sql.bind((i64::from(size) + 1).value());
        let rows = self.fetch(sql.finish(), deadline(context)).await?;
        let mut records = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        let more = records.len() > usize::from(size);
        records.truncate(size.into());
        let last = records.last().filter(|_| more);
        let next_page_token = last.map(|last| last.id.clone()).unwrap_or_default();
        Ok(ListAuditRecordsResponse { records, next_page_token })
    }
}

fn record(row: &Row) -> Result<AuditRecord, Error> {
    let columns: String = row.get("columns")?;
    let kind = format!("KIND_{}", row.get::<String>("kind")?);
    Ok(AuditRecord {
        id: row.get("id")?,
        resource: row.get("resource")?,
        resource_id: row.get("resource_id")?,
        kind: Kind::from_str_name(&kind).unwrap_or_default().into(),
        columns: columns.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
        actor: row.get("actor")?,
        on_behalf: row.get("on_behalf")?,
        method: row.get("method")?,
        trace_id: row.get("trace_id")?,
        create_time: Some(timestamp(row.get("create_time")?)),
    })
}

impl Tx {
    /// Notes that a query of this transaction has changed columns of a resource, as an update would.
    pub fn changed<R: Resource>(&mut self, id: &str, columns: &[&str]) {
        self.note::<R>(id, Kind::Update, columns.join(","));
    }

    /// Notes a change, for its record and for whoever keeps answers made of it.
    pub(crate) fn note<R: Resource>(&mut self, id: &str, kind: Kind, columns: String) {
        self.pending.changed.insert(R::NAME);
        self.pending.audit.push(Change::new(R::NAME, id, kind, columns));
    }

    /// What writes the records of all changes.
    pub(crate) fn audit_statements(&self) -> impl Iterator<Item = Statement> {
        self.pending.audit.chunks(MOST_ROWS).map(|changes| self.audit_statement(changes))
    }

    fn audit_statement(&self, changes: &[Change]) -> Statement {
        let caller = &self.context.caller;
        let on_behalf = match caller.principal() {
            Principal::Service { on_behalf, .. } => on_behalf.as_deref().unwrap_or_default(),
            Principal::Nobody | Principal::Guest { .. } | Principal::User { .. } => "",
        };
        let trace_id = self.context.trace.id().unwrap_or_default();
        let now = self.store.inner.clock.now_micros();
        let sql = "INSERT INTO store_audit (project, id, resource, resource_id, kind, columns, \
                   actor, on_behalf, method, trace_id, create_time) VALUES ";
        let sql = format!("{sql}{}", table::placeholders(changes.len(), 11));
        let mut statement = Statement::new(sql).bind(caller.project());
        for change in changes {
            statement = statement
                .bind(self.store.inner.ids.next("aud"))
                .bind(change.resource)
                .bind(&change.id)
                .bind(change.kind.as_str_name().trim_start_matches("KIND_"))
                .bind(&change.columns)
                .bind(caller.actor())
                .bind(on_behalf)
                .bind(&*self.context.method)
                .bind(&trace_id)
                .bind(now);
        }
        statement.persistent = worth_keeping(changes.len());
        statement
    }
}

/// Whether a statement of so many rows comes often enough to be kept prepared.
pub(crate) fn worth_keeping(rows: usize) -> bool {
    rows <= 8 || rows == MOST_ROWS
}
