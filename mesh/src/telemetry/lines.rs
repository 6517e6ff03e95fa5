//! Log lines that say which trace they are of, so that a line leads to its trace and a trace to its lines.

use std::fmt::{self, Write};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::trace::Trace;

/// Writes a line as another does, and the trace at its end.
pub(super) struct Lines<F> {
    format: F,
    says: fn(&mut String, Trace) -> fmt::Result,
}

impl Lines<Format<Full>> {
    /// For people: `… trace_id=… span_id=…`.
    pub(super) fn human() -> Self {
        let format = Format::default().with_target(false);
        Self {
            format,
            says: |line, at| {
                let (trace, span, _) = at.ids();
                write!(line, " trace_id={trace} span_id={span}")
            },
        }
    }
}

impl<F> Lines<F> {
    /// For machines: two more keys of the object.
    pub(super) fn json(format: F) -> Self {
        Self {
            format,
            says: |line, at| {
                let (trace, span, _) = at.ids();
                let ended = line.pop() == Some('}');
                write!(line, ",\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"")?;
                if ended { line.write_char('}') } else { Ok(()) }
            },
        }
    }
}

impl<F, S, N> FormatEvent<S, N> for Lines<F>
where
    F: FormatEvent<S, N>,
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let at = Trace::here();
        if at.is_none() {
            return self.format.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.trim_end().len());
        (self.says)(&mut line, at)?;
        writeln!(writer, "{line}")
    }
}
