//! Times that lead to a trace: each bucket remembers the last call of a kept trace that fell into it.
//!
//! A call whose trace is not kept is counted and nothing else.

use std::fmt::Write;

use opentelemetry::TraceId;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;

use crate::trace::Trace;

/// Times of calls.
pub(super) type Times = HistogramWithExemplars<InTrace>;

/// The trace of a call that was measured.
#[derive(Debug, Clone, EncodeLabelSet)]
pub(super) struct InTrace {
    trace_id: Id,
}

#[derive(Debug, Clone)]
struct Id(TraceId);

impl EncodeLabelValue for Id {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
        write!(encoder, "{}", self.0)
    }
}

impl InTrace {
    /// What the time of a call is remembered with: its trace, where somebody keeps that.
    pub(super) fn of(trace: Trace) -> Option<Self> {
        trace.is_kept().then(|| Self { trace_id: Id(trace.ids().0) })
    }
}
