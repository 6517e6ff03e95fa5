//! Events on their way out: a row for each consumer, written with the change that they tell of.

use prost::{Message, Name};

use crate::audit::worth_keeping;
use crate::resources::MOST_ROWS;
use crate::statement::Statement;
use crate::table;
use crate::tx::Tx;

/// An event to be written at the commit, for one consumer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    id: String,
    consumer: &'static str,
    name: String,
    key: String,
    data: Vec<u8>,
}

impl Tx {
    /// Tells of an event once this transaction is committed. Events of one key, such as an order's
    /// id, reach each consumer in their order.
    #[expect(clippy::needless_pass_by_value, reason = "an event is given away")]
    pub fn emit<E: Message + Name>(&mut self, key: &str, event: E) {
        let name = E::full_name();
        let data = event.encode_to_vec();
        let id = self.store.inner.ids.next("evt");
        for consumer in self.store.inner.bus.consumers(&name) {
            self.pending.events.push(Outgoing {
                id: id.clone(),
                consumer,
                name: name.clone(),
                key: key.to_owned(),
                data: data.clone(),
            });
        }
    }

    /// What writes the events that were emitted.
    pub(crate) fn events_statements(&self) -> impl Iterator<Item = Statement> {
        self.pending.events.chunks(MOST_ROWS).map(|events| self.events_statement(events))
    }

    fn events_statement(&self, events: &[Outgoing]) -> Statement {
        let sql = "INSERT INTO store_outbox (project, consumer, id, type, key, data, subject, \
                   traceparent, create_time, due_time, attempts, error) VALUES ";
        let sql = format!("{sql}{}", table::placeholders(events.len(), 12));
        let caller = &self.context.caller;
        let traceparent = self.context.trace.traceparent().unwrap_or_default();
        let now = self.store.inner.clock.now_micros();
        let mut statement = Statement::new(sql).bind(caller.project());
        for event in events {
            statement = statement
                .bind(event.consumer)
                .bind(&event.id)
                .bind(&event.name)
                .bind(&event.key)
                .bind(event.data.as_slice())
                .bind(caller.subject().unwrap_or_default())
                .bind(&traceparent)
                .bind(now)
                .bind(now)
                .bind(0_i64)
                .bind("");
        }
        statement.persistent = worth_keeping(events.len());
        statement
    }
}
