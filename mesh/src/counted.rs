//! Bodies of requests whose messages are counted as their bytes pass.
//!
//! The messages are not read here. Of calls that take one message, gRPC has a code for none and for several.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use crate::failure::Refusal;
use crate::framing::Messages;

/// A body that counts the bytes of its messages.
pub(crate) fn counted(body: Body, bytes: Arc<AtomicU64>) -> Body {
    Body::new(Counted { body, messages: Messages::default(), bytes, is_one: false })
}

/// The same, which fails unless it is one framed message.
pub(crate) fn single(body: Body, bytes: Arc<AtomicU64>) -> Body {
    Body::new(Counted { body, messages: Messages::default(), bytes, is_one: true })
}

struct Counted {
    body: Body,
    messages: Messages,
    bytes: Arc<AtomicU64>,
    /// It must be one message.
    is_one: bool,
}

impl Counted {
    fn see(&mut self, data: &[u8]) {
        self.messages.see(data);
        self.bytes.store(self.messages.bytes(), Ordering::Relaxed);
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(poller);
        let fits = match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.see(data);
                }
                self.messages.begun() <= 1
            }
            // A prefix that never came whole is for the decoder to refuse.
            Poll::Ready(None) => self.messages.begun() > 0,
            Poll::Ready(Some(Err(_))) | Poll::Pending => true,
        };
        if fits || !self.is_one {
            polled
        } else {
            Poll::Ready(Some(Err(Refusal::NotOneMessage.into())))
        }
    }

    /// Where it must be one message, nothing is known of how many there are until it has been seen to the end.
    fn is_end_stream(&self) -> bool {
        (!self.is_one || self.messages.begun() > 0) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
