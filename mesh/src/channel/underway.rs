//! What is kept of a call, and of each of its tries, while it is under way: its spans, and what is counted at
//! its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tonic::Code;

use super::place::Place;
use crate::metrics;
use crate::trace::Recording;

/// A call, until the end of its answer. Dropped before that, its caller went away.
#[derive(Debug)]
pub(super) struct Underway {
    path: Arc<str>,
    pub(super) span: Recording,
    counts: Arc<metrics::Of>,
    since: Instant,
    deadline: Option<Instant>,
    /// How many bytes of messages a stream has sent, where it sends one.
    streamed: Option<Arc<AtomicU64>>,
    retries: AtomicU32,
    transparent: AtomicU32,
    hedges: AtomicU32,
    delay_us: AtomicU64,
    has_ended: AtomicBool,
    place: Place,
}

impl Underway {
    pub(super) fn new(
        path: Arc<str>,
        span: Recording,
        counts: Arc<metrics::Of>,
        since: Instant,
        deadline: Option<Instant>,
        place: Place,
        streamed: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self {
            path,
            span,
            counts,
            since,
            deadline,
            streamed,
            retries: AtomicU32::new(0),
            transparent: AtomicU32::new(0),
            hedges: AtomicU32::new(0),
            delay_us: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            place,
        }
    }

    /// Its answer is a good one.
    pub(super) fn succeeded(&self) {
        self.place.succeeded();
    }

    /// It is tried again after a wait.
    pub(super) fn retried(&self, wait: Duration) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        let wait_us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.delay_us.fetch_add(wait_us, Ordering::Relaxed);
    }

    /// It is sent once more beside what has been sent.
    pub(super) fn hedged(&self) {
        self.hedges.fetch_add(1, Ordering::Relaxed);
    }

    /// A try of it begins; what it sends is known, or is a stream.
    pub(super) fn attempt(
        self: &Arc<Self>,
        tries_before: u32,
        is_transparent: bool,
        sends: Option<u64>,
    ) -> Attempt {
        if is_transparent {
            self.transparent.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.begin();
        Attempt {
            span: self.span.attempt(&self.path, tries_before, is_transparent),
            call: Arc::clone(self),
            since: Instant::now(),
            sends,
            received: 0,
            has_ended: false,
        }
    }

    /// It has come to this, the first time that it is told.
    pub(super) fn end(&self, code: Code, now: Instant) {
        if self.has_ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let again = metrics::Again {
            retries: self.retries.load(Ordering::Relaxed),
            transparent: self.transparent.load(Ordering::Relaxed),
            hedges: self.hedges.load(Ordering::Relaxed),
            delay: Duration::from_micros(self.delay_us.load(Ordering::Relaxed)),
        };
        self.counts.call(code, now - self.since, again, self.span.at());
        self.span.status(code);
    }

    /// What it comes to when its caller goes away now.
    fn left(&self, now: Instant) -> Code {
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        if is_late { Code::DeadlineExceeded } else { Code::Cancelled }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.has_ended.load(Ordering::Relaxed) {
            let now = Instant::now();
            self.end(self.left(now), now);
        }
    }
}

/// A try of a call, until the end of its answer.
#[derive(Debug)]
pub(super) struct Attempt {
    call: Arc<Underway>,
    span: Recording,
    since: Instant,
    sends: Option<u64>,
    /// How many bytes of messages have come.
    pub(super) received: u64,
    has_ended: bool,
}

impl Attempt {
    /// Its answer is a good one, and the call's.
    pub(super) fn call_succeeded(&self) {
        self.call.succeeded();
    }

    /// Says in a request which span it is of.
    pub(super) fn inject(&self, headers: &mut HeaderMap) {
        self.span.at().inject(headers);
    }

    /// Says where it goes.
    pub(super) fn goes_to(&self, address: &impl std::fmt::Display) {
        self.span.went_to(address);
    }

    /// It has come to this, the first time that it is told.
    pub(super) fn end(&mut self, code: Code, now: Instant) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let streamed = self.call.streamed.as_ref().map(|bytes| bytes.load(Ordering::Relaxed));
        let sent = self.sends.or(streamed).unwrap_or_default();
        let (took, trace) = (now - self.since, self.span.at());
        self.call.counts.attempt(code, took, sent, self.received, trace);
        self.span.end(code, sent, self.received);
    }

    /// The same for a try whose answer is the call's.
    pub(super) fn end_call(&mut self, code: Code, now: Instant) {
        self.end(code, now);
        self.call.end(code, now);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.has_ended {
            let now = Instant::now();
            self.end(self.call.left(now), now);
        }
    }
}
