//! Calls to services, in gRPC's framing, without knowing what the messages are.

use std::net::SocketAddr;

use base64::Engine;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full};
use mesh::{Channel, Status};
use tonic::body::Body;
use tower::ServiceExt;

use crate::errors::Refusal;
use crate::value::BASE64;

/// The flag and the length before each message.
const PREFIX: usize = 5;

/// A call to be made.
#[derive(Debug)]
pub(crate) struct Call {
    /// The way to the service.
    pub(crate) channel: Channel,
    /// The RPC's path.
    pub(crate) uri: Uri,
    /// The metadata of the request.
    pub(crate) metadata: HeaderMap,
    /// Where the caller's connection comes from.
    pub(crate) peer: Option<SocketAddr>,
}

/// The one answer of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The metadata before the message.
    pub(crate) headers: HeaderMap,
    /// The encoded message.
    pub(crate) message: Bytes,
    /// The metadata after the message.
    pub(crate) trailers: HeaderMap,
}

impl Call {
    /// Asks with one message and waits for the one answer.
    pub(crate) async fn unary(self, message: &[u8]) -> Result<Answer, Status> {
        let (headers, mut messages) = self.stream(message).await?;
        match collect(&mut messages).await {
            Ok(message) => Ok(Answer { headers, message, trailers: messages.into_trailers() }),
            Err(mut status) => {
                add_missing(status.metadata_mut().as_mut(), headers);
                Err(status)
            }
        }
    }

    /// Asks with one message; the answers come as they are made.
    pub(crate) async fn stream(self, message: &[u8]) -> Result<(HeaderMap, Messages), Status> {
        self.exchange(Body::new(Full::new(frame(0, message)))).await
    }

    /// Asks with framed messages; the answers come as they are made.
    pub(crate) async fn exchange(self, framed: Body) -> Result<(HeaderMap, Messages), Status> {
        let mut request = self;
        request.metadata.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let response = request.open(framed).await?;
        let (parts, body) = response.into_parts();
        let ended = outcome(&parts.headers).transpose()?.is_some();
        let mut messages = Messages::new(body);
        // An answer that is trailers alone has them where headers stand.
        messages.trailers = ended.then(|| parts.headers.clone());
        Ok((parts.headers, messages))
    }

    /// Sends a body that is framed already; its content type stands in the metadata.
    pub(crate) async fn open(self, body: Body) -> Result<Response<Body>, Status> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri;
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.metadata;
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        self.channel.oneshot(request).await
    }
}

async fn collect(messages: &mut Messages) -> Result<Bytes, Status> {
    let first = messages.next().await?.ok_or(Refusal::BadAnswer)?;
    match messages.next().await? {
        None => Ok(first),
        Some(_) => Err(Refusal::BadAnswer.into()),
    }
}

fn add_missing(metadata: &mut HeaderMap, headers: HeaderMap) {
    for (name, value) in headers {
        if let Some(name) = name {
            metadata.entry(name).or_insert(value);
        }
    }
}

/// A message behind its flag and length.
pub(crate) fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(flag);
    // Bodies are bounded far below 4 GiB; a longer one could not be framed at all.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// How long the first framed message of a buffer says it is.
pub(crate) fn length(buffer: &[u8]) -> Option<usize> {
    let (&[_, length @ ..], _) = buffer.split_first_chunk::<PREFIX>()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

/// Takes one framed message off a buffer when it is there whole.
pub(crate) fn unframe(buffer: &mut BytesMut) -> Option<(u8, Bytes)> {
    let length = length(buffer)?;
    let flag = *buffer.first()?;
    if buffer.len() - PREFIX < length {
        return None;
    }
    buffer.advance(PREFIX);
    Some((flag, buffer.split_to(length).freeze()))
}

/// What trailers say of a call; `None` when they say nothing.
pub(crate) fn outcome(trailers: &HeaderMap) -> Option<Result<(), Status>> {
    if trailers.get(Status::GRPC_STATUS)? == "0" {
        return Some(Ok(()));
    }
    let details = trailers.get(Status::GRPC_STATUS_DETAILS);
    // tonic panics on details that are not base64.
    if details.is_some_and(|details| BASE64.decode(details).is_err()) {
        let mut readable = trailers.clone();
        readable.remove(Status::GRPC_STATUS_DETAILS);
        return Status::from_header_map(&readable).map(Err);
    }
    Status::from_header_map(trailers).map(Err)
}

/// The messages of an answer as they come, then its trailers.
#[derive(Debug)]
pub(crate) struct Messages {
    body: Body,
    buffer: BytesMut,
    trailers: Option<HeaderMap>,
}

impl Messages {
    fn new(body: Body) -> Self {
        Self { body, buffer: BytesMut::new(), trailers: None }
    }

    /// The next message; `None` once the call ended well. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            match unframe(&mut self.buffer) {
                Some((0, message)) => return Ok(Some(message)),
                // No compression was offered, so none can be used.
                Some(_) => return Err(Refusal::BadAnswer.into()),
                None => {}
            }
            let Some(frame) = self.body.frame().await.transpose()? else {
                return self.end().map(|()| None);
            };
            match frame.into_data() {
                Ok(data) => self.buffer.extend_from_slice(&data),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
    }

    fn end(&self) -> Result<(), Status> {
        match self.trailers.as_ref().and_then(outcome) {
            Some(Err(status)) => Err(status),
            Some(Ok(())) if self.buffer.is_empty() => Ok(()),
            Some(Ok(())) | None => Err(Refusal::BadAnswer.into()),
        }
    }

    /// The metadata after the last message.
    pub(crate) fn into_trailers(self) -> HeaderMap {
        self.trailers.unwrap_or_default()
    }
}
