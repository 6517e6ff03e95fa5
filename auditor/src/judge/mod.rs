//! The rules: what of one order's facts does not hold.
//!
//! Each rule is a function of the facts alone; what is under way is told apart afterwards.

mod amounts;
mod progress;
mod provider;
mod stock;
mod told;

#[cfg(test)]
mod tests;

use std::time::Duration;

use contract::mesh::v1::Waiting;
use mesh::clock::micros;
use tradewind::payments::v1::ProviderEntry;

use crate::Options;
use crate::facts::Facts;
use crate::report::{Check, Finding, Side};
use crate::waiting::Todo;

/// The service that knows every order there is.
const ORDERS: &str = "orders";
/// What it says of one that it does not know, as after a restore.
const UNKNOWN: &str = "it does not know this order";

/// Something that does not hold, before it is asked whether it is under way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Doubt {
    check: Check,
    id: String,
    problem: String,
    sides: Vec<Side>,
    advice: &'static str,
}

impl Doubt {
    fn new(check: Check, id: &str, problem: impl Into<String>, advice: &'static str) -> Self {
        Self { check, id: id.to_owned(), problem: problem.into(), sides: Vec::new(), advice }
    }

    fn side(mut self, who: &str, says: impl Into<String>) -> Self {
        self.sides.push(Side::new(who, says));
        self
    }

    fn found(self, settling: bool) -> Finding {
        let Self { check, id, problem, sides, advice } = self;
        Finding { check, id, problem, sides, advice: advice.to_owned(), settling }
    }
}

/// How findings are judged: at what time, with what still to do.
pub(crate) struct Rules<'a> {
    todo: &'a Todo,
    now: i64,
    settling: i64,
    stuck_after: i64,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(options: &Options, todo: &'a Todo) -> Self {
        let whole = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self {
            todo,
            now: options.clock.now_micros(),
            settling: whole(options.settling),
            stuck_after: whole(options.stuck_after),
        }
    }

    /// What of an order does not hold.
    pub(crate) fn judge(&self, facts: &Facts) -> Vec<Finding> {
        let doubts = [
            amounts::doubts(facts),
            stock::doubts(facts),
            told::doubts(facts),
            progress::without_task(facts, self.todo),
        ];
        let mut doubts = doubts.concat();
        if doubts.is_empty() {
            return self.stuck(facts);
        }
        let settling =
            self.is_recent(facts.changed()) || facts.ids().any(|id| self.todo.changes(id));
        doubts.sort_by_key(|doubt| doubt.check);
        let is_unknown = facts.order.is_none();
        let found = doubts.into_iter().map(|mut doubt| {
            if is_unknown && !doubt.sides.iter().any(|side| side.who == ORDERS) {
                doubt.sides.push(Side::new(ORDERS, UNKNOWN));
            }
            // Contradictions are for a person, however recent.
            let settles = settling && doubt.check != Check::Review;
            doubt.found(settles)
        });
        found.chain(self.stuck(facts)).collect()
    }

    /// What a provider has on record otherwise.
    pub(crate) fn judge_provider(&self, entry: &ProviderEntry) -> Option<Finding> {
        let changed = entry.update_time.as_ref().map_or(0, micros);
        let settling = self.is_recent(changed) || self.todo.changes(&entry.id);
        provider::doubt(entry).map(|doubt| doubt.found(settling))
    }

    /// Tasks and events that wait for too long, or for a person.
    pub(crate) fn judge_todo(&self) -> Vec<Finding> {
        let all = self.todo.all().iter();
        all.filter_map(|(service, waiting)| self.late(service, waiting)).collect()
    }

    fn stuck(&self, facts: &Facts) -> Vec<Finding> {
        let doubt = progress::stuck(facts, self.now - self.stuck_after);
        doubt.into_iter().map(|doubt| doubt.found(false)).collect()
    }

    fn late(&self, service: &str, waiting: &Waiting) -> Option<Finding> {
        let limit = self.now - self.stuck_after;
        progress::late(service, waiting, limit).map(|doubt| doubt.found(false))
    }

    fn is_recent(&self, changed: i64) -> bool {
        // What changed after this audit began has not settled either, whatever is allowed.
        changed > self.now || changed > self.now.saturating_sub(self.settling)
    }
}
