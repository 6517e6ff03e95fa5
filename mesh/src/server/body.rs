//! Bodies of answers: watched to their end, within the deadline.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::failure::Refusal;
use crate::metrics::CallTimer;

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

/// A message framed as gRPC does it: not compressed, its length, its bytes.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(5 + message.len());
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// The body of an answer, ended at the deadline and counted at its end.
pub(crate) struct Watched {
    body: Body,
    deadline: Option<Instant>,
    /// Made when the body first has to be waited for: most answers never are.
    timer: Option<Pin<Box<Sleep>>>,
    call: Option<CallTimer>,
    span: tracing::Span,
}

impl Watched {
    pub(crate) fn new(
        body: Body,
        deadline: Option<Instant>,
        call: Option<CallTimer>,
        span: tracing::Span,
    ) -> Self {
        Self { body, deadline, timer: None, call, span }
    }

    fn finish(&mut self, code: Code) {
        if let Some(call) = self.call.take() {
            super::end(&call, &self.span, code);
        }
    }

    /// Ends the answer here, with a refusal as its trailers.
    fn cut(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let status = Status::from(refusal);
        self.finish(status.code());
        self.body = Body::empty();
        self.deadline = None;
        let mut trailers = HeaderMap::new();
        // Writing a status to headers fails only on a message that is not text; this one is.
        let _ = status.add_header(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn deadline_passed(&mut self, poller: &mut Poller<'_>) -> bool {
        let Some(deadline) = self.deadline else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(poller).is_ready()
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        // A panic in a stream is a failure of this call alone, as one in its handler is.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| {
            Pin::new(&mut self.body).poll_frame(poller)
        }));
        let Ok(polled) = polled else { return self.cut(Refusal::Panicked) };
        match polled {
            Poll::Ready(frame) => {
                match &frame {
                    Some(Ok(frame)) => {
                        if let Some(code) = frame.trailers_ref().and_then(code_of) {
                            self.finish(code);
                        }
                    }
                    Some(Err(status)) => {
                        let code = status.code();
                        self.finish(code);
                    }
                    None => self.finish(Code::Ok),
                }
                Poll::Ready(frame)
            }
            Poll::Pending if self.deadline_passed(poller) => self.cut(Refusal::DeadlineExceeded),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.call.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    /// A body that nobody reads to its end belongs to a call that was cancelled.
    fn drop(&mut self) {
        let code = if self.body.is_end_stream() { Code::Ok } else { Code::Cancelled };
        self.finish(code);
    }
}

/// The code in the headers or trailers of an answer.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}
