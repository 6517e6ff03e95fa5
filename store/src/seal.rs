//! The end of a transaction: what is written with a change, its commit, and who is told.

use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::pool::Engine;
use crate::statement::Statement;
use crate::tasks::NewTask;
use crate::tx::Tx;

/// How many values go to PostgreSQL at once; it takes 65,535 in one statement.
const MOST_VALUES: usize = 1000;

impl Tx {
    /// Writes what goes with the change (answer, tasks, events, audit records), and commits all of it.
    pub(crate) async fn seal(mut self) -> Result<(), Error> {
        let answer = self.answer_statement()?;
        let mut statements: Vec<_> = answer.into_iter().collect();
        statements.extend(self.tasks_statements());
        statements.extend(self.events_statements());
        statements.extend(self.audit_statements());
        if self.connection.engine() == Engine::Postgres {
            statements = at_once(statements);
        }
        for statement in statements {
            self.execute(statement).await?;
        }
        if self.failed {
            return Err(Error::Ended);
        }
        self.connection.commit(&self.context.method).await?;
        self.tell();
        Ok(())
    }

    /// Says what is true now that it is committed.
    fn tell(&self) {
        let (inner, pending) = (&self.store.inner, &self.pending);
        for resource in &pending.changed {
            inner.changes.note(resource, self.context.caller.project());
        }
        for claim in &pending.claimed {
            self.store.hold(claim);
        }
        for (claim, until) in &pending.renewed {
            claim.extend(*until);
        }
        for claim in &pending.ended {
            claim.end();
        }
        if pending.released {
            inner.tasks.look();
        }
        let (now, mut is_due) = (inner.clock.now_micros(), pending.released);
        for (place, due) in pending.tasks.iter().filter_map(NewTask::waits) {
            inner.tasks.expect(place, due, now);
            is_due |= due <= now;
        }
        // A runner of this process that has room takes them first.
        if is_due && !inner.has_room.load(Ordering::SeqCst) {
            inner.ring();
        }
        if !pending.events.is_empty() {
            inner.events.notify_one();
        }
        if pending.answered {
            inner.answered.notify_waiters();
        }
    }
}

/// One statement of several that write to tables of their own, which spares PostgreSQL the ways between them:
/// `WITH "0" AS (INSERT …), "1" AS (INSERT …) INSERT …`. None of them sees what another writes, and those
/// of one table would come in any order; a table has several only where there is too much for one statement.
fn at_once(statements: Vec<Statement>) -> Vec<Statement> {
    let values: usize = statements.iter().map(|it| it.values.len()).sum();
    if statements.len() < 2 || values > MOST_VALUES {
        return statements;
    }
    let (mut whole, mut texts) = (Statement::new(""), Vec::new());
    for statement in statements {
        texts.push(moved(&statement.sql, whole.values.len()));
        whole.values.extend(statement.values);
        whole.persistent &= statement.persistent;
    }
    let last = texts.pop().unwrap_or_default();
    let others = texts.iter().enumerate().map(|(at, text)| format!("\"{at}\" AS ({text})"));
    whole.sql = format!("WITH {} {last}", others.collect::<Vec<_>>().join(", ")).into();
    vec![whole]
}

/// The text of a statement whose values come behind so many others: `$1` becomes `$4` behind three.
fn moved(sql: &str, by: usize) -> String {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        text.push('$');
        text.push_str(
            &number.parse::<usize>().map_or(number.to_owned(), |it| (it + by).to_string()),
        );
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &str) -> Statement {
        let sql = format!("INSERT INTO {table} (a, b) VALUES ($1, $2), ($1, $3)");
        Statement::new(sql).bind(1_i64).bind(2_i64).bind(3_i64)
    }

    #[test]
    fn what_a_commit_writes_is_one_statement_with_all_values_in_their_order() {
        let together = at_once(vec![insert("x"), insert("y")]);
        let [statement] = together.as_slice() else { panic!("{together:?}") };
        assert_eq!(
            statement.sql,
            "WITH \"0\" AS (INSERT INTO x (a, b) VALUES ($1, $2), ($1, $3)) \
             INSERT INTO y (a, b) VALUES ($4, $5), ($4, $6)"
        );
        assert_eq!(statement.values.len(), 6);
    }

    #[test]
    fn what_is_too_much_for_one_statement_stays_in_several() {
        let many = || {
            let values = (0..MOST_VALUES).map(|_| contract::Value::Integer(None));
            Statement::new("INSERT INTO x (a) VALUES ($1)").binds(values)
        };
        assert_eq!(at_once(vec![many(), many()]).len(), 2);
    }
}
