//! Streams that are let go of at their deadline, even while nobody reads them.
//!
//! A body is only polled when its reader has room. A reader that never has any would hold the stream,
//! and what its handler holds, for as long as the connection lives.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;

/// A body that is gone after its deadline; who watches it says why.
pub(crate) fn lease(body: Body, deadline: Option<Instant>) -> Body {
    let Some(deadline) = deadline else { return body };
    let body = Arc::new(Mutex::new(body));
    let leased = Arc::clone(&body);
    let end = tokio::spawn(async move {
        sleep_until(deadline).await;
        let ended = std::mem::replace(
            &mut *leased.lock().unwrap_or_else(PoisonError::into_inner),
            Body::empty(),
        );
        drop(ended);
    });
    Body::new(Leased { body, _end: AbortOnDropHandle::new(end) })
}

struct Leased {
    body: Arc<Mutex<Body>>,
    _end: AbortOnDropHandle<()>,
}

impl http_body::Body for Leased {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(poller)
    }

    fn is_end_stream(&self) -> bool {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
