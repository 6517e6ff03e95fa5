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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::trace::Recording;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What two events say, one in a trace that is not kept and one in none; and the id of the first's span.
    fn said(is_json: bool) -> (Vec<String>, String) {
        let paper = Paper::default();
        let writer = paper.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let lines = if is_json {
            let json = lines.json().flatten_event(true).map_event_format(Lines::json);
            tracing_subscriber::Layer::boxed(json)
        } else {
            tracing_subscriber::Layer::boxed(lines.with_ansi(false).event_format(Lines::human()))
        };
        let at =
            tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
                let call = Recording::continued("task", "sing", Trace::read(PARENT).unwrap());
                call.in_scope(|| tracing::warn!(notes = 3, "ahoy"));
                tracing::warn!("nobody");
                call.at()
            });
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        (text.lines().map(str::to_owned).collect(), at.ids().1.to_string())
    }

    #[test]
    fn a_line_for_people_ends_with_its_trace() {
        let (lines, span) = said(false);

        let ids = format!(" trace_id=0af7651916cd43dd8448eb211c80319c span_id={span}");
        assert!(lines[0].ends_with(&format!("WARN ahoy notes=3{ids}")), "{lines:?}");
        assert!(lines[1].ends_with("WARN nobody"), "{lines:?}");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_line_for_machines_is_one_object_with_its_trace() {
        let (lines, span) = said(true);

        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let (ahoy, nobody) = (read(&lines[0]), read(&lines[1]));
        assert_eq!((&ahoy["message"], &ahoy["notes"]), (&"ahoy".into(), &3.into()));
        assert_eq!(ahoy["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(ahoy["span_id"], span);
        assert!(nobody.get("trace_id").is_none(), "{nobody}");
    }
}
