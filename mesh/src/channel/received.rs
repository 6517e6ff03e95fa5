//! The answer of another process, watched to its end: that is when its endpoint has done its work.

use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::endpoint::Turn;
use super::underway::Attempt;
use super::wire;
use crate::deadline::Alarm;
use crate::failure::Refusal;
use crate::framing::Messages;

/// The body of an answer.
pub(super) struct Received {
    /// Nothing when it was ended here.
    body: Option<Incoming>,
    alarm: Alarm,
    deadline: Option<Instant>,
    turn: Turn,
    attempt: Attempt,
    messages: Messages,
    /// What no message may be longer than, in bytes.
    longest: usize,
    service: &'static str,
}

impl Received {
    pub(super) fn new(
        body: Incoming,
        turn: Turn,
        attempt: Attempt,
        service: &'static str,
        deadline: Option<Instant>,
        longest: Option<usize>,
    ) -> Self {
        Self {
            body: Some(body),
            alarm: Alarm::new(deadline),
            deadline,
            turn,
            attempt,
            messages: Messages::default(),
            longest: longest.unwrap_or(usize::MAX),
            service,
        }
    }

    /// Ends the answer here, with a refusal as its trailers; dropping what is left of it tells its sender.
    fn fail(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let status = Status::from(refusal);
        self.end(status.code(), None);
        self.alarm = Alarm::new(None);
        self.body = None;
        let mut trailers = HeaderMap::new();
        // Writing a status to headers fails only on a message that is not text; this one is.
        let _ = status.add_header(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn end(&mut self, code: Code, pushback: Option<Duration>) {
        let now = Instant::now();
        self.turn.end(code, pushback, now);
        self.attempt.received = self.messages.bytes();
        self.attempt.end_call(code, now);
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(data) = frame.data_ref()
            && self.messages.see(data) > self.longest
        {
            return self.fail(Refusal::TooLarge(self.longest));
        }
        if let Some(trailers) = frame.trailers_ref() {
            let (code, pushback) = wire::outcome(trailers).unwrap_or((Code::Unknown, None));
            self.end(code, pushback.and_then(wire::Pushback::wait));
            if code == Code::Ok {
                self.attempt.call_succeeded();
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.alarm.is_late() {
            return self.fail(Refusal::DeadlineExceeded);
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(poller);
        if polled.is_pending() && self.alarm.runs_late(poller) {
            return self.fail(Refusal::DeadlineExceeded);
        }
        match ready!(polled) {
            Some(Ok(frame)) => self.pass(frame),
            Some(Err(error)) => {
                let status = wire::status(error, self.service, self.deadline);
                self.end(status.code(), None);
                Poll::Ready(Some(Err(status)))
            }
            None => {
                // An answer without trailers has said in its headers what it is, or was cut off.
                self.end(Code::Unknown, None);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    /// Nothing that would be promised in a header: the answer may be cut.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
