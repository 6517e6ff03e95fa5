//! A trace as it was told, span by span, in whatever order.

use std::fmt;

use mesh_testing::otlp::status::StatusCode;
use mesh_testing::otlp::{From, Span, hex};

/// One span.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty, or a span that somebody else keeps.
    pub(crate) parent: String,
    pub(crate) service: String,
    pub(crate) name: String,
    /// In nanoseconds of Unix time.
    pub(crate) begun: u64,
    pub(crate) failed: bool,
}

/// Spans, each below its parent.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) spans: Vec<Told>,
}

impl Tree {
    pub(crate) fn of(spans: &[From<Span>]) -> Self {
        let told = |span: &From<Span>| Told {
            trace: hex(&span.said.trace_id),
            id: hex(&span.said.span_id),
            parent: hex(&span.said.parent_span_id),
            service: span.service(),
            name: span.said.name.clone(),
            begun: span.said.start_time_unix_nano,
            failed: span.said.status.as_ref().is_some_and(|it| it.code() == StatusCode::Error),
        };
        Self { spans: spans.iter().map(told).collect() }
    }

    /// Spans whose parent was not told, but for that of the first.
    pub(crate) fn orphans(&self, root: &str) -> Vec<&Told> {
        let is_known = |span: &&Told| {
            span.parent == root || self.spans.iter().any(|parent| parent.id == span.parent)
        };
        self.spans.iter().filter(|span| !is_known(span)).collect()
    }

    /// Whether a span is below one of this name.
    pub(crate) fn is_below(&self, span: &Told, name: &str) -> bool {
        let parent = self.spans.iter().find(|parent| parent.id == span.parent);
        parent.is_some_and(|parent| parent.name == name || self.is_below(parent, name))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, parent: &str, depth: usize) -> fmt::Result {
        let mut children: Vec<_> = self.spans.iter().filter(|span| span.parent == parent).collect();
        children.sort_by_key(|span| span.begun);
        for span in children {
            let mark = if span.failed { " !" } else { "" };
            writeln!(f, "{:indent$}{} {}{mark}", "", span.service, span.name, indent = depth * 2)?;
            self.write(f, &span.id, depth + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_first = |span: &&Told| !self.spans.iter().any(|it| it.id == span.parent);
        let mut firsts: Vec<_> = self.spans.iter().filter(is_first).map(|it| &it.parent).collect();
        firsts.sort();
        firsts.dedup();
        firsts.into_iter().try_for_each(|parent| self.write(f, parent, 0))
    }
}
