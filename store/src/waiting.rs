//! What a service has still to do: tasks, and events that a consumer has not had.

use contract::mesh::v1::{ListWaitingRequest, ListWaitingResponse, Waiting};
use mesh::Context;
use serde_json::Value;

use crate::error::Error;
use crate::statement::{Row, Statement};
use crate::store::{Store, deadline};

/// The size of a page when nothing is said.
const PAGE: u32 = 500;
/// What a page token of events begins with; those of tasks are their ids.
const EVENTS: &str = "event:";
/// The letters of a typed id after its prefix.
const ID_LETTERS: usize = 26;

impl Store {
    /// A page of what this service has still to do in the caller's project: tasks, then events.
    pub async fn list_waiting(
        &self,
        context: &Context,
        asked: &ListWaitingRequest,
    ) -> Result<ListWaitingResponse, Error> {
        let size = u32::try_from(asked.page_size).ok().filter(|size| *size > 0).unwrap_or(PAGE);
        if let Some(after) = asked.page_token.strip_prefix(EVENTS) {
            let position = after.parse().map_err(|_| Error::InvalidList {
                field: "page_token",
                reason: "INVALID_PAGE_TOKEN",
                problem: "it is not one of a page before".into(),
            })?;
            return self.events_waiting(context, position, size).await;
        }
        let statement = Statement::new(
            "SELECT id, kind, '' AS consumer, payload, attempts, dead, error, due_time, create_time \
             FROM store_tasks WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
        );
        let statement = statement.bind(context.caller.project()).bind(&asked.page_token).bind(size);
        let rows = self.fetch(statement, deadline(context)).await?;
        let waiting = rows.iter().map(task).collect::<Result<Vec<_>, _>>()?;
        let full = waiting.len() >= size as usize;
        let last = waiting.last().filter(|_| full).map(|last| last.id.clone());
        Ok(ListWaitingResponse {
            next_page_token: last.unwrap_or_else(|| format!("{EVENTS}0")),
            waiting,
        })
    }

    async fn events_waiting(
        &self,
        context: &Context,
        position: i64,
        size: u32,
    ) -> Result<ListWaitingResponse, Error> {
        let statement = Statement::new(
            "SELECT position, id, type AS kind, consumer, key, attempts, dead, error, due_time, create_time \
             FROM store_outbox WHERE project = $1 AND position > $2 AND deliver_time IS NULL \
             ORDER BY position LIMIT $3",
        );
        let statement = statement.bind(context.caller.project()).bind(position).bind(size);
        let rows = self.fetch(statement, deadline(context)).await?;
        let waiting = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let last = rows.last().filter(|_| rows.len() >= size as usize);
        let last: Option<i64> = last.map(|row| row.get("position")).transpose()?;
        let next_page_token = last.map(|last| format!("{EVENTS}{last}")).unwrap_or_default();
        Ok(ListWaitingResponse { waiting, next_page_token })
    }
}

fn task(row: &Row) -> Result<Waiting, Error> {
    let payload: String = row.get("payload")?;
    let payload = serde_json::from_str(&payload).unwrap_or_default();
    let mut subject_ids = Vec::new();
    ids("", &payload, &mut subject_ids);
    Ok(Waiting { subject_ids, ..waiting(row)? })
}

fn event(row: &Row) -> Result<Waiting, Error> {
    let key: String = row.get("key")?;
    Ok(Waiting { subject_ids: vec![key], ..waiting(row)? })
}

fn waiting(row: &Row) -> Result<Waiting, Error> {
    Ok(Waiting {
        id: row.get("id")?,
        kind: row.get("kind")?,
        consumer: row.get("consumer")?,
        attempts: row.get("attempts")?,
        dead: row.get("dead")?,
        error: row.get("error")?,
        due_time: Some(row.get("due_time")?),
        create_time: Some(row.get("create_time")?),
        ..Waiting::default()
    })
}

/// The ids that a task names. Nothing else of it is told: it may hold secrets.
fn ids(name: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if name.ends_with("_id") || is_typed_id(text) => {
            found.push(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| ids(name, value, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| ids(name, value, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a text looks like `ord_01j9x…`.
fn is_typed_id(text: &str) -> bool {
    text.rsplit_once('_').is_some_and(|(prefix, letters)| {
        let plain =
            |text: &str| text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
        !prefix.is_empty() && plain(prefix) && letters.len() == ID_LETTERS && plain(letters)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_tells_its_ids_and_none_of_its_secrets() {
        let payload = serde_json::json!({
            "order_id": "ord_1",
            "mail": "mai_01jz9x3q6vexx8w5p3m9rr8f2a",
            "payment_method": "sim_ok",
            "guest_token": "tw_ot_abcdefghijklmnopqrstuvwxyz0123456789abcdefg",
            "reason": "too late",
        });
        let mut found = Vec::new();

        ids("", &payload, &mut found);

        found.sort_unstable();
        assert_eq!(found, ["mai_01jz9x3q6vexx8w5p3m9rr8f2a", "ord_1"]);
    }
}
