//! The result as a table in Markdown.

use crate::pairs::{Pairs, Spread};

/// One line: what was measured, beside what.
#[derive(Debug)]
pub(crate) struct Row {
    /// What `ONLY` calls it.
    pub(crate) name: &'static str,
    pub(crate) what: String,
    pub(crate) figure: String,
    /// What stands beside it, with its own figure.
    pub(crate) beside: String,
    /// The ratio, or what else the two come to.
    pub(crate) result: String,
    /// What it must reach; nothing where it is merely reported.
    pub(crate) bar: &'static str,
}

impl Row {
    /// Rates of calls beside rates of a peer.
    pub(crate) fn ratio(name: &'static str, what: &str, peer: &str, pairs: &Pairs) -> Self {
        Self {
            name,
            what: what.to_owned(),
            figure: Spread::of(&pairs.subject).told("/s"),
            beside: format!("{peer}: {}", Spread::of(&pairs.beside).told("/s")),
            result: pairs.ratio().told(""),
            bar: "reported",
        }
    }

    /// A figure that nothing stands beside.
    pub(crate) fn alone(name: &'static str, what: &str, figure: String) -> Self {
        let beside = "–".to_owned();
        Self { name, what: what.to_owned(), figure, beside, result: "–".into(), bar: "reported" }
    }

    /// The same, with what it must reach.
    pub(crate) fn with_bar(self, bar: &'static str) -> Self {
        Self { bar, ..self }
    }
}

/// The head of the table.
pub(crate) const HEAD: &str =
    "| row | what | measured | beside | ratio | bar |\n|---|---|---|---|---|---|";

/// A line of the table.
pub(crate) fn line(row: &Row) -> String {
    let Row { name, what, figure, beside, result, bar } = row;
    format!("| {name} | {what} | {figure} | {beside} | {result} | {bar} |")
}
