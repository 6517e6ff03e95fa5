//! The calls of one connection: counted while they last, with the messages that they carry.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::channelz::{Server, Traffic};
use crate::framing::Messages;
use crate::server::code_of;

/// What a connection carries.
#[derive(Debug)]
pub(super) struct Calls {
    server: Arc<Server>,
    traffic: Arc<Traffic>,
    open: AtomicUsize,
    /// Since when there has been no call.
    idle_since: Mutex<Instant>,
}

impl Calls {
    pub(super) fn new(server: Arc<Server>, traffic: Arc<Traffic>) -> Arc<Self> {
        let idle_since = Mutex::new(Instant::now());
        Arc::new(Self { server, traffic, open: AtomicUsize::new(0), idle_since })
    }

    /// Since when there has been no call; none while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        (self.open.load(Ordering::Acquire) == 0).then_some(since)
    }

    /// Counts a call that arrives, and the messages of its request.
    pub(super) fn begin(self: &Arc<Self>, request: Request<Incoming>) -> (Call, Request<Body>) {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.server.calls().start();
        self.traffic.accept();
        let is_grpc = is_grpc(request.headers());
        let call = Call { calls: Arc::clone(self), is_grpc, ended: false };
        let traffic = Arc::clone(&self.traffic);
        let request = request.map(|body| {
            if is_grpc {
                Body::new(Heard { body, messages: Messages::default(), traffic })
            } else {
                Body::new(body)
            }
        });
        (call, request)
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| {
        let rest = kind.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    })
}

/// One call, until it is dropped.
#[derive(Debug)]
pub(super) struct Call {
    calls: Arc<Calls>,
    is_grpc: bool,
    ended: bool,
}

impl Call {
    /// Its answer, counted to its end.
    pub(super) fn answer(self, response: Response<Body>) -> Response<Body> {
        let succeeded = match code_of(response.headers()) {
            Some(code) => code == Code::Ok,
            // The status of a gRPC call comes with its trailers.
            None => !self.is_grpc && is_success(response.status()),
        };
        let messages = Messages::default();
        response.map(|body| Body::new(Answer { body, messages, call: self, succeeded }))
    }

    fn end(&mut self, whole: bool, succeeded: bool) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let calls = &self.calls;
        calls.traffic.close(whole);
        calls.server.calls().end(whole && succeeded);
        // Before the count falls, or a watcher might see an old time beside no call.
        *calls.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        calls.open.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Call {
    /// A call whose answer was never sent.
    fn drop(&mut self) {
        self.end(false, false);
    }
}

fn is_success(status: StatusCode) -> bool {
    !status.is_client_error() && !status.is_server_error()
}

/// One for each message that ends in these bytes.
fn ended(messages: &mut Messages, bytes: &[u8]) -> std::ops::Range<usize> {
    let before = messages.whole();
    messages.see(bytes);
    before..messages.whole()
}

/// The body of a request, its messages counted.
struct Heard {
    body: Incoming,
    messages: Messages,
    traffic: Arc<Traffic>,
}

impl http_body::Body for Heard {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(poller);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            ended(&mut this.messages, data).for_each(|_| this.traffic.receive());
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

/// The body of an answer; its call ends with it.
struct Answer {
    body: Body,
    messages: Messages,
    call: Call,
    succeeded: bool,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(poller);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref().filter(|_| this.call.is_grpc) {
                    let traffic = &this.call.calls.traffic;
                    ended(&mut this.messages, data).for_each(|_| traffic.send());
                }
                if let Some(code) = frame.trailers_ref().and_then(code_of) {
                    this.succeeded = code == Code::Ok;
                }
            }
            Poll::Ready(Some(Err(_))) => this.call.end(false, false),
            Poll::Ready(None) => this.call.end(true, this.succeeded),
            Poll::Pending => {}
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

impl Drop for Answer {
    /// A body that says where it ends is not asked again.
    fn drop(&mut self) {
        let whole = self.body.is_end_stream();
        self.call.end(whole, self.succeeded);
    }
}
