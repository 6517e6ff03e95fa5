//! Bodies of answers: watched to their end, within the deadline.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited};
use tonic::body::Body;
use tonic::{Code, Status};

use super::outcome::complete;
use crate::deadline::Alarm;
use crate::failure::Refusal;
use crate::framing::Messages;
use crate::metrics::CallTimer;
use crate::trace::Recording;

/// The whole of a body, when it is not longer than it may be.
pub(crate) async fn whole(body: Body, longest: usize) -> Result<Bytes, Status> {
    match Limited::new(body, longest).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Refusal::TooLarge(longest).into())
        }
        Err(error) => Err(Status::from_error(error)),
    }
}

/// A body of one framed message that succeeded.
pub(crate) fn answered(framed: Bytes) -> Body {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    Body::new(Full::new(framed).with_trailers(async move { Some(Ok(trailers)) }))
}

/// The body of an answer, ended at the deadline and counted at its end.
pub(crate) struct Watched {
    body: Body,
    alarm: Alarm,
    messages: Messages,
    /// The call that it answers, until that has ended.
    call: Option<CallTimer>,
    span: Recording,
}

impl Watched {
    /// The answer of a call that is made here.
    pub(crate) fn new(body: Body, call: CallTimer, span: Recording) -> Self {
        Self {
            body,
            alarm: Alarm::new(call.deadline()),
            messages: Messages::default(),
            call: Some(call),
            span,
        }
    }

    fn finish(&mut self, code: Code) {
        if let Some(call) = self.call.take() {
            super::end(&call, &self.span, code, self.messages.bytes());
        }
    }

    /// Ends the answer here, with a refusal as its trailers.
    fn cut(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let status = Status::from(refusal);
        if let Some(call) = &self.call {
            super::log(call.method(), &self.span, status.code(), status.message(), "");
        }
        self.finish(status.code());
        self.body = Body::empty();
        self.alarm = Alarm::new(None);
        let mut trailers = HeaderMap::new();
        // Writing a status to headers fails only on a message that is not text; this one is.
        let _ = status.add_header(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(call) = &self.call else { return Poll::Ready(Some(Ok(frame))) };
        let longest = frame.data_ref().map_or(0, |data| self.messages.see(data));
        if longest > super::LONGEST_MESSAGE {
            return self.cut(Refusal::TooLarge(super::LONGEST_MESSAGE));
        }
        let mut trailers = match frame.into_trailers() {
            Ok(trailers) => trailers,
            Err(data) => return Poll::Ready(Some(Ok(data))),
        };
        let failure = complete(&mut trailers);
        if let Some((code, text)) = &failure {
            super::log(call.method(), &self.span, *code, text, "");
        }
        self.finish(failure.map_or(Code::Ok, |(code, _)| code));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        // A body that always has more is not waited for, and would outlive its deadline.
        if self.alarm.is_late() {
            return self.cut(Refusal::DeadlineExceeded);
        }
        // A panic in a stream is a failure of this call alone, as one in its handler is.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut self.body).poll_frame(poller)
        }));
        match polled {
            Ok(Poll::Ready(Some(Ok(frame)))) => self.pass(frame),
            Ok(Poll::Ready(Some(Err(status)))) => {
                self.finish(status.code());
                Poll::Ready(Some(Err(status)))
            }
            Ok(Poll::Ready(None)) => {
                self.finish(Code::Ok);
                Poll::Ready(None)
            }
            Ok(Poll::Pending) if self.alarm.runs_late(poller) => {
                self.cut(Refusal::DeadlineExceeded)
            }
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => self.cut(Refusal::Panicked),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.call.is_none() && self.body.is_end_stream()
    }

    /// Nothing that would be promised in a header: the answer may be cut.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Watched {
    /// A body that nobody reads to its end belongs to a caller who went away.
    fn drop(&mut self) {
        if let Some(call) = &self.call {
            let code = match call.left() {
                Code::Cancelled if self.body.is_end_stream() => Code::Ok,
                code => code,
            };
            self.finish(code);
        }
    }
}
