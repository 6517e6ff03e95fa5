//! Tasks that a service shows to its operators as what they are to it: processes on their way.

use mesh::Context;

use crate::error::Error;
use crate::statement::{Row, Statement};
use crate::store::{Store, deadline};

/// A task as the service that wrote it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driven {
    /// Such as `tsk_01j…`.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its JSON.
    pub payload: String,
    /// How often it was taken; 0 before the first time.
    pub token: i64,
    /// How often it was tried since it began, or was begun anew.
    pub attempts: i64,
    /// Whether it failed too often, and waits for a person.
    pub dead: bool,
    /// Why it failed last.
    pub error: String,
    /// When it may be taken; the end of the lease while somebody has it. Microseconds since 1970.
    pub due: i64,
    /// When it was written.
    pub create_time: i64,
}

impl Store {
    /// The tasks of some kinds in the caller's project, in the order of their ids, after one.
    pub async fn driven(
        &self,
        context: &Context,
        kinds: &[&'static str],
        after: &str,
        most: u32,
    ) -> Result<Vec<Driven>, Error> {
        let places: Vec<_> = (4..4 + kinds.len()).map(|at| format!("${at}")).collect();
        let statement = Statement::new(format!(
            "SELECT id, kind, payload, token, attempts, dead, error, due_time, create_time \
             FROM store_tasks WHERE project = $1 AND id > $2 AND kind IN ({}) ORDER BY id LIMIT $3",
            places.join(", ")
        ));
        let statement = statement.bind(context.caller.project()).bind(after).bind(most);
        let statement = kinds.iter().copied().fold(statement, Statement::bind);
        self.fetch(statement, deadline(context)).await?.iter().map(driven).collect()
    }

    /// The tasks of a kind, of all projects, that were written before a time.
    pub async fn driven_since(
        &self,
        kind: &str,
        before: i64,
        most: u32,
    ) -> Result<Vec<String>, Error> {
        let statement = Statement::new(
            "SELECT id FROM store_tasks WHERE kind = $1 AND create_time < $2 ORDER BY id LIMIT $3",
        );
        let until = tokio::time::Instant::now() + crate::database::PATIENCE;
        let rows = self.fetch(statement.bind(kind).bind(before).bind(most), until).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// Makes a task due at once, as long as nobody has taken it since it was read; whether it was.
    pub async fn hasten(&self, context: &Context, task: &Driven) -> Result<bool, Error> {
        let statement = Statement::new(
            "UPDATE store_tasks SET due_time = $4, attempts = CASE WHEN dead = 1 THEN 0 ELSE attempts END, \
             dead = 0, held = 0 WHERE project = $1 AND id = $2 AND token = $3",
        );
        let statement = statement.bind(context.caller.project()).bind(&task.id).bind(task.token);
        let statement = statement.bind(self.inner.clock.now_micros());
        let mut connection = self.begin_within(deadline(context)).await?;
        let hastened = connection.execute(statement).await? == 1;
        connection.commit(&context.method).await?;
        self.inner.tasks.look();
        Ok(hastened)
    }
}

fn driven(row: &Row) -> Result<Driven, Error> {
    Ok(Driven {
        id: row.get("id")?,
        kind: row.get("kind")?,
        payload: row.get("payload")?,
        token: row.get("token")?,
        attempts: row.get("attempts")?,
        dead: row.get("dead")?,
        error: row.get("error")?,
        due: row.get("due_time")?,
        create_time: row.get("create_time")?,
    })
}
