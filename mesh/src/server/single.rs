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

/// The flag and the length before each message.
const PREFIX: usize = 5;

/// A body that fails unless it is one framed message.
pub(super) fn single(body: Body) -> Body {
    Body::new(Single { body, count: Count::default() })
}

/// How far a body has been seen.
#[derive(Debug, Default)]
struct Count {
    /// Messages that have begun.
    begun: usize,
    /// What has come of a prefix.
    prefix: [u8; PREFIX],
    prefixed: usize,
    /// What is still to come of a message.
    left: usize,
}

impl Count {
    /// Sees the next bytes; answers whether they still are of one message.
    fn see(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let passed = self.left.min(bytes.len());
            (self.left, bytes) = (self.left - passed, &bytes[passed..]);
            let Some((first, rest)) = bytes.split_first() else { break };
            if self.begun > 0 && self.prefixed == 0 {
                return false;
            }
            self.prefix[self.prefixed] = *first;
            (self.prefixed, bytes) = (self.prefixed + 1, rest);
            if self.prefixed == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                (self.prefixed, self.begun) = (0, self.begun + 1);
            }
        }
        true
    }
}

struct Single {
    body: Body,
    count: Count,
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
                frame.data_ref().is_none_or(|data| self.count.see(data))
            }
            // A prefix that never came whole is for the decoder to refuse.
            Poll::Ready(None) => self.count.begun > 0 || self.count.prefixed > 0,
            Poll::Ready(Some(Err(_))) | Poll::Pending => true,
        };
        if fits { polled } else { Poll::Ready(Some(Err(Refusal::NotOneMessage.into()))) }
    }

    /// Until it has been seen to the end, nothing is known of how many messages it has.
    fn is_end_stream(&self) -> bool {
        self.count.begun > 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_message_is_one_however_it_is_cut(
            message in proptest::collection::vec(any::<u8>(), 0..40),
            cut in 1_usize..9,
        ) {
            let framed = super::super::body::framed(&message);
            let mut count = Count::default();

            prop_assert!(framed.chunks(cut).all(|piece| count.see(piece)));

            prop_assert_eq!((count.begun, count.left, count.prefixed), (1, 0, 0));
        }

        #[test]
        fn two_messages_are_too_many_however_they_are_cut(
            message in proptest::collection::vec(any::<u8>(), 0..40),
            cut in 1_usize..99,
        ) {
            let framed = super::super::body::framed(&message).repeat(2);
            let mut count = Count::default();

            prop_assert!(!framed.chunks(cut).all(|piece| count.see(piece)));
        }
    }
}
