//! Streams of requests that end with their answers: whoever drops an answer has no more to say either.

use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::body::Body;

/// A stream that is reset when its call has ended. HTTP/2 would let it go on: its two directions are ended
/// each by itself.
struct Linked {
    body: Body,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// The stream of a call, and what ends it when it is dropped.
pub(super) fn linked(body: Body) -> (Body, DropGuard) {
    let call = CancellationToken::new();
    let ended = Box::pin(call.clone().cancelled_owned());
    (Body::new(Linked { body, ended }), call.drop_guard())
}

/// What hyper resets a stream with, by the reason that it finds.
#[derive(Debug, thiserror::Error)]
#[error("the call has ended")]
struct Ended(#[source] h2::Error);

impl http_body::Body for Linked {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.ended.as_mut().poll(poller).is_ready() {
            let reason = h2::Error::from(h2::Reason::CANCEL);
            return Poll::Ready(Some(Err(Box::new(Ended(reason)))));
        }
        Pin::new(&mut self.body).poll_frame(poller).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
