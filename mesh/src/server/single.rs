//! Requests of calls that take one message: gRPC has a code for none and for several.
//!
//! The messages are not read here, only counted as their bytes pass.

use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use crate::failure::Refusal;
use crate::framing::Messages;

/// A body that fails unless it is one framed message.
pub(super) fn single(body: Body) -> Body {
    Body::new(Single { body, messages: Messages::default() })
}

struct Single {
    body: Body,
    messages: Messages,
}

impl http_body::Body for Single {
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
                    self.messages.see(data);
                }
                self.messages.begun() <= 1
            }
            // A prefix that never came whole is for the decoder to refuse.
            Poll::Ready(None) => self.messages.begun() > 0,
            Poll::Ready(Some(Err(_))) | Poll::Pending => true,
        };
        if fits { polled } else { Poll::Ready(Some(Err(Refusal::NotOneMessage.into()))) }
    }

    /// Until it has been seen to the end, nothing is known of how many messages it has.
    fn is_end_stream(&self) -> bool {
        self.messages.begun() > 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
