//! Streams of requests that end with their answers: whoever drops an answer has no more to say either.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tonic::body::Body;

use crate::framing::Messages;

/// A stream that is reset when its call has ended. HTTP/2 would let it go on: its two directions are ended
/// each by itself.
struct Linked {
    body: Body,
    ended: oneshot::Receiver<Infallible>,
    messages: Messages,
    bytes: Arc<AtomicU64>,
}

/// Ends the stream of a call when it is dropped.
#[derive(Debug)]
pub(super) struct Link {
    _call: oneshot::Sender<Infallible>,
}

/// The stream of a call, whose bytes of messages are counted, with what ends it.
pub(super) fn linked(body: Body, bytes: Arc<AtomicU64>) -> (Body, Link) {
    let (call, ended) = oneshot::channel();
    let messages = Messages::default();
    (Body::new(Linked { body, ended, messages, bytes }), Link { _call: call })
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
        let this = &mut *self;
        if Pin::new(&mut this.ended).poll(poller).is_ready() {
            let reason = h2::Error::from(h2::Reason::CANCEL);
            return Poll::Ready(Some(Err(Box::new(Ended(reason)))));
        }
        let polled = Pin::new(&mut this.body).poll_frame(poller);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            this.messages.see(data);
            this.bytes.store(this.messages.bytes(), Ordering::Relaxed);
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
