//! The last events of a channel or a server (gRFC A3).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use contract::grpc::channelz::v1 as pb;
use contract::grpc::channelz::v1::channel_trace_event::{ChildRef, Severity as PbSeverity};

use crate::clock::{Clock, timestamp};

/// How many events are kept; older ones are forgotten.
const KEPT: usize = 32;

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Info,
    /// Worth a look.
    Warning,
    /// Wrong.
    Error,
}

/// What has happened.
#[derive(Debug)]
pub(super) struct Trace {
    clock: Clock,
    created: i64,
    events: Mutex<Events>,
}

#[derive(Debug, Default)]
struct Events {
    ever: i64,
    last: VecDeque<pb::ChannelTraceEvent>,
}

impl Trace {
    pub(super) fn new(clock: Clock) -> Self {
        let created = clock.now_micros();
        Self { clock, created, events: Mutex::default() }
    }

    pub(super) fn note(&self, severity: Severity, text: String, child: Option<ChildRef>) {
        let severity = match severity {
            Severity::Info => PbSeverity::CtInfo,
            Severity::Warning => PbSeverity::CtWarning,
            Severity::Error => PbSeverity::CtError,
        };
        let event = pb::ChannelTraceEvent {
            description: text,
            severity: severity.into(),
            timestamp: Some(self.clock.now()),
            child_ref: child,
        };
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.ever += 1;
        events.last.truncate(KEPT - 1);
        events.last.push_front(event);
    }

    /// What is kept, the oldest first.
    pub(super) fn read(&self) -> pb::ChannelTrace {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        pb::ChannelTrace {
            num_events_logged: events.ever,
            creation_timestamp: Some(timestamp(self.created)),
            events: events.last.iter().rev().cloned().collect(),
        }
    }
}
