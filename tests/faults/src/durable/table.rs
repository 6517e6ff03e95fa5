//! The table of what befell the half that remembers, and what was found afterwards.

use std::fmt::Write;
use std::time::Duration;

use super::buyers::Story;
use crate::table::told;

/// The head of the table.
pub(crate) const HEAD: &str = "| scenario | orders | without an answer | tries made again | longest order | sells again after | what was found | |\n\
                               |---|---|---|---|---|---|---|---|";

/// One fault, and what came of it.
#[derive(Debug)]
pub(crate) struct Row {
    scenario: String,
    orders: usize,
    unanswered: usize,
    repeated: usize,
    longest: Duration,
    /// From the beginning of a fault to the first order that was asked for after it: the longest of several.
    again: Option<Duration>,
    found: String,
    pub(crate) held: bool,
}

impl Row {
    /// A row of what customers saw.
    pub(crate) fn of(scenario: &str, story: &Story) -> Self {
        let purchases = &story.purchases;
        let unanswered = purchases.iter().filter(|it| it.answer.is_err()).count();
        let row = Self {
            scenario: scenario.to_owned(),
            orders: purchases.len(),
            unanswered,
            repeated: purchases.iter().map(|it| it.refused.len()).sum(),
            longest: purchases.iter().map(|it| it.ended - it.begun).max().unwrap_or_default(),
            again: None,
            found: String::new(),
            held: true,
        };
        row.notes(unanswered == 0, "each has its answer")
    }

    /// The same, with how long nobody bought.
    pub(crate) fn again(self, after: Duration) -> Self {
        Self { again: Some(after), ..self }
    }

    /// The same, with a thing that must hold and whether it did.
    pub(crate) fn notes(mut self, holds: bool, said: &str) -> Self {
        let and = if self.found.is_empty() { "" } else { "; " };
        let not = if holds { "" } else { "NOT: " };
        // Writing to a string cannot fail.
        let _ = write!(self.found, "{and}{not}{said}");
        self.held &= holds;
        self
    }

    /// The same, with all that was lost, done twice, or is not over.
    pub(crate) fn finds(self, problems: &[String]) -> Self {
        if problems.is_empty() {
            return self.notes(
                true,
                "each is there once and is the answer to its key; audit and shelf agree",
            );
        }
        problems.iter().take(8).fold(self, |row, problem| row.notes(false, problem))
    }

    /// Its line of the table.
    pub(crate) fn line(&self) -> String {
        let Self { scenario, orders, unanswered, repeated, longest, again, found, held } = self;
        let again = again.map_or("–".to_owned(), told);
        let (longest, held) = (told(*longest), if *held { "held" } else { "**missed**" });
        let found = found.replace('|', "/").replace('\n', " ");
        format!(
            "| {scenario} | {orders} | {unanswered} | {repeated} | {longest} | {again} | {found} | {held} |"
        )
    }
}
