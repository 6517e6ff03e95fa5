//! The work of a span: what it logs has the span's ids.
//!
//! A thread knows which trace it is at, for log lines alone; whoever calls others has a context.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Span;

use super::Trace;

thread_local! {
    static CURRENT: Cell<Trace> = const { Cell::new(Trace::NONE) };
}

/// What this thread is at.
pub(super) fn current() -> Trace {
    CURRENT.get()
}

/// Says what this thread is at until it is dropped.
pub(super) struct Here {
    before: Trace,
}

impl Here {
    pub(super) fn enter(at: Trace) -> Self {
        Self { before: CURRENT.replace(at) }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

pin_project! {
    /// Work whose span is entered whenever it goes on.
    #[derive(Debug)]
    pub struct Followed<F> {
        #[pin]
        work: F,
        at: Trace,
        span: Span,
    }
}

impl<F> Followed<F> {
    pub(super) fn new(work: F, at: Trace, span: Span) -> Self {
        Self { work, at, span }
    }
}

impl<F: Future> Future for Followed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let _here = Here::enter(*this.at);
        this.work.poll(poller)
    }
}
