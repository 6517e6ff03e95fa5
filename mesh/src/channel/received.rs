//! The answer of another process, watched to its end: that is when its endpoint has done its work.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::endpoint::Turn;
use super::place::Place;
use super::wire;
use crate::deadline::Alarm;
use crate::failure::Refusal;

/// The body of an answer.
pub(super) struct Received {
    /// Nothing when it was ended here.
    body: Option<Incoming>,
    alarm: Alarm,
    turn: Turn,
    sizes: Option<Sizes>,
    service: &'static str,
    _place: Arc<Place>,
}

impl Received {
    pub(super) fn new(
        body: Incoming,
        turn: Turn,
        place: Arc<Place>,
        service: &'static str,
        deadline: Option<Instant>,
        longest: Option<usize>,
    ) -> Self {
        let sizes = longest.map(Sizes::new);
        Self { body: Some(body), alarm: Alarm::new(deadline), turn, sizes, service, _place: place }
    }

    /// Ends the answer here, with a refusal as its trailers; dropping what is left of it tells its sender.
    fn fail(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let status = Status::from(refusal);
        self.turn.end(status.code(), None);
        self.alarm = Alarm::new(None);
        self.body = None;
        let mut trailers = HeaderMap::new();
        // Writing a status to headers fails only on a message that is not text; this one is.
        let _ = status.add_header(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let (Some(sizes), Some(data)) = (&mut self.sizes, frame.data_ref())
            && let Err(longest) = sizes.pass(data)
        {
            return self.fail(Refusal::TooLarge(longest));
        }
        if let Some(trailers) = frame.trailers_ref() {
            let (code, pushback) = wire::outcome(trailers).unwrap_or((Code::Unknown, None));
            self.turn.end(code, pushback.and_then(wire::Pushback::wait));
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
                let status = wire::status(error, self.service);
                self.turn.end(status.code(), None);
                Poll::Ready(Some(Err(status)))
            }
            None => {
                // An answer without trailers has said in its headers what it is, or was cut off.
                self.turn.end(Code::Unknown, None);
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

/// Follows messages through frames, which they need not fit: five bytes of head, then as many as it says.
struct Sizes {
    longest: usize,
    head: [u8; 5],
    headed: usize,
    left: usize,
}

impl Sizes {
    fn new(longest: usize) -> Self {
        Self { longest, head: [0; 5], headed: 0, left: 0 }
    }

    /// Fails with the limit when a message is longer.
    fn pass(&mut self, mut data: &[u8]) -> Result<(), usize> {
        while !data.is_empty() {
            if self.left > 0 {
                let here = self.left.min(data.len());
                self.left -= here;
                data = &data[here..];
                continue;
            }
            let here = (self.head.len() - self.headed).min(data.len());
            self.head[self.headed..self.headed + here].copy_from_slice(&data[..here]);
            self.headed += here;
            data = &data[here..];
            if self.headed == self.head.len() {
                let [_, length @ ..] = self.head;
                self.headed = 0;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if self.left > self.longest {
                    return Err(self.longest);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(lengths: &[usize]) -> Vec<u8> {
        let frame = |length: &usize| {
            let head = u32::try_from(*length).unwrap().to_be_bytes();
            [&[0], head.as_slice(), &vec![7; *length]].concat()
        };
        lengths.iter().flat_map(frame).collect()
    }

    proptest! {
        #[test]
        fn a_message_is_too_long_however_it_is_cut_into_frames(
            lengths in prop::collection::vec(0_usize..40, 1..6),
            cuts in prop::collection::vec(1_usize..20, 1..40),
        ) {
            let bytes = framed(&lengths);
            let (mut sizes, mut rest, mut passed) = (Sizes::new(30), bytes.as_slice(), Ok(()));

            for cut in cuts.iter().cycle() {
                let (frame, more) = rest.split_at((*cut).min(rest.len()));
                passed = passed.and(sizes.pass(frame));
                rest = more;
                if rest.is_empty() || passed.is_err() {
                    break;
                }
            }

            prop_assert_eq!(passed.is_err(), lengths.iter().any(|length| *length > 30));
        }
    }
}
