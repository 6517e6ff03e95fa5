//! The table of what held and what did not.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::load::{Call, failed, percentile};

/// The head of the table.
pub(crate) const HEAD: &str = "| scenario | calls | failed | at the faulty replica | p50 | p99 | bar | |\n\
                               |---|---|---|---|---|---|---|---|";

/// One scenario, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    /// Calls that went to whoever was at fault, where someone was.
    pub(crate) there: Option<usize>,
    pub(crate) median: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    /// What must hold, with what was found.
    pub(crate) bar: String,
    pub(crate) held: bool,
}

impl Row {
    /// A row of the calls that were made under a fault.
    pub(crate) fn of(scenario: &str, calls: &[Call]) -> Self {
        Self {
            scenario: scenario.to_owned(),
            calls: calls.len(),
            failed: failed(calls),
            there: None,
            median: percentile(calls, 50).ok(),
            p99: percentile(calls, 99).ok(),
            bar: String::new(),
            held: true,
        }
    }

    /// The same, with how many calls went to whoever was at fault.
    pub(crate) fn there(self, calls: usize) -> Self {
        Self { there: Some(calls), ..self }
    }

    /// The same, with a thing that must hold and whether it did.
    pub(crate) fn bar(mut self, holds: bool, said: &str) -> Self {
        let and = if self.bar.is_empty() { "" } else { "; " };
        // Writing to a string cannot fail.
        let _ = write!(self.bar, "{and}{said}");
        self.held &= holds;
        self
    }

    /// Its line of the table.
    pub(crate) fn line(&self) -> String {
        let time = |time: Option<Duration>| time.map_or("–".to_owned(), told);
        let there = self.there.map_or("–".to_owned(), |there| there.to_string());
        let held = if self.held { "held" } else { "**missed**" };
        let Self { scenario, calls, failed, bar, .. } = self;
        let (median, p99) = (time(self.median), time(self.p99));
        format!("| {scenario} | {calls} | {failed} | {there} | {median} | {p99} | {bar} | {held} |")
    }

    /// For the process that asked for it.
    pub(crate) fn written(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

/// Puts the table in the place of the one that a page has.
pub(crate) fn write(page: &Path, table: &str) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let Some((before, rest)) = text.split_once("| scenario |") else {
        bail!("{} has no table of scenarios", page.display());
    };
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    std::fs::write(page, format!("{before}{table}\n{after}"))?;
    Ok(())
}

/// A time as a person reads it.
pub(crate) fn told(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    match ms {
        1000.0.. => format!("{:.1} s", ms / 1000.0),
        10.0.. => format!("{ms:.0} ms"),
        _ => format!("{ms:.1} ms"),
    }
}
