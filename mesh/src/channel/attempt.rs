//! One try of a call: an endpoint is chosen, the request goes out, and what comes back is told apart.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, request};
use http_body::Frame;
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

use super::config::{MethodConfig, More};
use super::endpoint::{Endpoint, Turn};
use super::received::Received;
use super::remote::Remote;
use super::underway::{Attempt, Underway};
use super::wire::{self, Pushback};
use crate::deadline;
use crate::failure::Refusal;
use crate::framing;
use crate::trace::unlike_others;

/// A longer request is not kept for another try (gRFC A6).
const LONGEST_KEPT: usize = 64 << 10;

/// One call, with what stays the same however often it is tried.
pub(super) struct Call {
    /// The service that makes it, where this process belongs to a mesh.
    pub(super) from: Option<Arc<str>>,
    pub(super) head: request::Parts,
    pub(super) body: Mutex<Sendable>,
    pub(super) deadline: Option<Instant>,
    pub(super) config: Arc<MethodConfig>,
    pub(super) is_unary: bool,
    /// It may be sent again: a repeat has no effect beyond the first's, and its message is kept.
    pub(super) is_safe: bool,
    pub(super) is_without_effect: bool,
    pub(super) underway: Arc<Underway>,
    /// Where it went.
    pub(super) tried: Mutex<Vec<Arc<Endpoint>>>,
}

/// What a call sends.
pub(super) enum Sendable {
    /// A stream, which can be read once.
    Once(Option<Body>),
    /// A message, which can be sent again.
    Again(Bytes),
}

impl Sendable {
    pub(super) fn is_longer_than(&self, longest: usize) -> bool {
        match self {
            Self::Once(_) => false,
            Self::Again(message) => message.len() > longest.saturating_add(framing::PREFIX),
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        match self {
            Self::Once(_) => false,
            Self::Again(message) => message.len() <= LONGEST_KEPT,
        }
    }

    /// How many bytes of a message it is, where that is known before it is sent.
    fn bytes(&self) -> Option<u64> {
        match self {
            Self::Once(_) => None,
            Self::Again(message) => {
                u64::try_from(message.len().saturating_sub(framing::PREFIX)).ok()
            }
        }
    }

    fn body(&mut self) -> Option<Body> {
        match self {
            Self::Once(body) => body.take(),
            Self::Again(message) => {
                let message = (!message.is_empty()).then(|| message.clone());
                Some(Body::new(Message(message)))
            }
        }
    }
}

/// A message that is sent whole. Its length is not told, as gRPC tells none: a header would say it once more.
struct Message(Option<Bytes>);

impl http_body::Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _poller: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|message| Ok(Frame::data(message))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// What a try has come to.
pub(super) struct Outcome {
    pub(super) answer: Result<Response<Body>, Status>,
    /// The code of a failure that came before any answer did; without one, the call is committed.
    pub(super) failed: Option<Code>,
    pub(super) pushback: Option<Pushback>,
    /// The other side says that it has not begun the call.
    pub(super) is_unprocessed: bool,
}

impl Outcome {
    fn refused(status: Status) -> Self {
        let failed = Some(status.code());
        Self { answer: Err(status), failed, pushback: None, is_unprocessed: false }
    }
}

impl Call {
    /// Whether its message is there to be sent again.
    pub(super) fn can_be_sent_again(&self) -> bool {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).is_kept()
    }

    fn begin(&self, tries_before: u32, is_transparent: bool) -> Attempt {
        let sends = self.body.lock().unwrap_or_else(PoisonError::into_inner).bytes();
        self.underway.attempt(tries_before, is_transparent, sends)
    }

    fn tried(&self) -> Vec<Arc<Endpoint>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_hedged(&self) -> bool {
        matches!(self.config.more, More::Hedge(_))
    }

    /// The next try goes elsewhere.
    fn note(&self, turn: &Turn) {
        let endpoint = Arc::clone(turn.endpoint());
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).push(endpoint);
    }

    /// The request of one try, with what is left of the deadline.
    fn request(&self, tries_before: u32) -> Result<Request<Body>, Status> {
        let mut head = self.head.clone();
        if let Some(deadline) = self.deadline {
            let left = HeaderValue::try_from(deadline::remaining(deadline)?);
            // It is digits and a letter.
            let left = left.map(unlike_others).map_err(|_| Refusal::DeadlineExceeded)?;
            head.headers.insert(deadline::HEADER, left);
        }
        if tries_before > 0 {
            head.headers.insert(wire::PREVIOUS, HeaderValue::from(tries_before));
        }
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner).body();
        let body = body.ok_or(Refusal::Unrepeatable)?;
        Ok(Request::from_parts(head, body))
    }
}

impl Remote {
    /// Tries a call once. A try of which nothing has left is begun again elsewhere, until the deadline.
    pub(super) async fn attempt(
        &self,
        call: &Call,
        tries_before: u32,
        is_transparent: bool,
    ) -> Outcome {
        let mut attempt = call.begin(tries_before, is_transparent);
        let mut request = match call.request(tries_before) {
            Ok(request) => request,
            Err(status) => return Outcome::refused(status),
        };
        loop {
            let wait_for_ready = call.config.wait_for_ready;
            attempt.inject(request.headers_mut());
            let Some(balancer) = self.balancer(call) else {
                let why = "its name can stand in no certificate".into();
                return Outcome::refused(unreachable(self.service, &why));
            };
            let turn = match balancer.turn(&call.tried(), wait_for_ready).await {
                Ok(turn) => turn.until(call.deadline),
                Err(why) => {
                    attempt.end(Code::Unavailable, Instant::now());
                    // Whoever calls again at once must not keep the endpoints' tasks from running.
                    tokio::task::yield_now().await;
                    return Outcome::refused(unreachable(self.service, &why));
                }
            };
            if call.is_hedged() {
                call.note(&turn);
            }
            attempt.goes_to(&turn.endpoint().address);
            let failed = match turn.connection.send(request).await {
                Ok(response) => return self.answered(call, turn, attempt, response),
                Err(failed) => failed,
            };
            let Some(unsent) = failed.request else {
                return self.lost(call, turn, attempt, failed.error);
            };
            turn.never_left();
            attempt.end(Code::Unavailable, Instant::now());
            attempt = call.begin(tries_before, true);
            request = unsent;
            // Whoever has closed the connection is told of by its own task, which must be let run.
            tokio::task::yield_now().await;
        }
    }

    fn answered(
        &self,
        call: &Call,
        mut turn: Turn,
        mut attempt: Attempt,
        response: Response<Incoming>,
    ) -> Outcome {
        let told = wire::outcome(response.headers());
        let (failed, pushback) = match told {
            Some((Code::Ok, _)) | None => (None, None),
            Some((code, pushback)) => (Some(code), pushback),
        };
        if let Some((Code::Ok, _)) = told {
            call.underway.succeeded();
        }
        if let Some((code, pushback)) = told {
            let now = Instant::now();
            turn.end(code, pushback.and_then(Pushback::wait), now);
            attempt.end(code, now);
        } else if !call.is_unary {
            // How long a stream lives says nothing of how fast its endpoint is.
            turn.has_begun_to_answer();
        }
        if failed.is_some() {
            call.note(&turn);
        }
        let (deadline, longest) = (call.deadline, call.config.longest_response);
        let answer = response.map(|body| {
            Body::new(Received::new(body, turn, attempt, self.service, deadline, longest))
        });
        Outcome { answer: Ok(answer), failed, pushback, is_unprocessed: false }
    }

    /// The connection broke, or the stream was reset.
    fn lost(
        &self,
        call: &Call,
        mut turn: Turn,
        mut attempt: Attempt,
        error: hyper::Error,
    ) -> Outcome {
        let is_unprocessed = wire::is_unprocessed(&error);
        let status = wire::status(error, self.service, call.deadline);
        let now = Instant::now();
        turn.end(status.code(), None, now);
        attempt.end(status.code(), now);
        call.note(&turn);
        Outcome { is_unprocessed, ..Outcome::refused(status) }
    }
}

/// A failure that says why nobody can be reached; only the log is told, not the caller.
fn unreachable(service: &'static str, why: &Arc<str>) -> Status {
    let mut status = Status::from(Refusal::Unavailable(service));
    status.set_source(Arc::new(Unreachable(Arc::clone(why))));
    status
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreachable(Arc<str>);
