//! Requests that are answered before they are read to their end.
//!
//! Over HTTP/1.1 whoever closes a connection that still brings something may destroy the answer that is under
//! way. So the rest is read for a while, and the caller is told that the connection is not to be used again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use mesh::Status;
use tokio::runtime::Handle;
use tonic::body::Body;

/// How much of a rest is read, and for how long.
const MOST: usize = 1 << 20;
const LONGEST: Duration = Duration::from_secs(2);

/// Whether a request has been read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whole(Arc<AtomicBool>);

impl Whole {
    pub(crate) fn is_read(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body whose rest is read when it is dropped.
struct Lingering {
    body: Body,
    whole: Whole,
}

/// A body, and whether it has been read to its end.
pub(crate) fn lingering(body: Body) -> (Body, Whole) {
    let whole = Whole(Arc::new(AtomicBool::new(http_body::Body::is_end_stream(&body))));
    (Body::new(Lingering { body, whole: whole.clone() }), whole)
}

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(poller);
        let ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        if ended || self.body.is_end_stream() {
            self.whole.0.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let rest = std::mem::take(&mut self.body);
        if self.whole.is_read() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let rest = Limited::new(rest, MOST).collect();
            // What it holds, and whether it ends in time, no longer matters.
            runtime.spawn(async move { drop(tokio::time::timeout(LONGEST, rest).await) });
        }
    }
}
