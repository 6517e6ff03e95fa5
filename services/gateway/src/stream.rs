//! Answers that go on: each message of a server stream as a piece of an HTTP body.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use mesh::Status;
use tonic::body::Body;

use crate::binding::Binding;
use crate::call::Messages;
use crate::errors;
use crate::request_id::RequestId;
use crate::transcode;

/// How long a stream of events may be silent; proxies cut connections that are silent for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How the messages of a stream become a body.
pub(crate) trait Encode: Send + 'static {
    /// The piece for one message.
    fn message(&mut self, message: Bytes) -> Result<Bytes, Status>;

    /// The last piece, after the call ended; an error cuts the connection.
    fn end(&mut self, outcome: Result<HeaderMap, Status>) -> Result<Bytes, Status>;

    /// The piece that keeps a silent connection open.
    fn silence(&self) -> Option<Bytes> {
        None
    }
}

/// A body that is written as the messages come; dropping it ends the call.
pub(crate) fn body(messages: Messages, encode: impl Encode) -> Body {
    Body::new(StreamBody::new(pieces(messages, encode)))
}

fn pieces(
    messages: Messages,
    encode: impl Encode,
) -> impl Stream<Item = Result<Frame<Bytes>, Status>> {
    stream::unfold(Some((messages, encode)), |open| async move {
        let (messages, mut encode) = open?;
        let (piece, open) = next(messages, &mut encode).await;
        Some((piece.map(Frame::data), open.map(|messages| (messages, encode))))
    })
}

async fn next(
    mut messages: Messages,
    encode: &mut impl Encode,
) -> (Result<Bytes, Status>, Option<Messages>) {
    let message = match encode.silence() {
        None => messages.next().await,
        Some(silence) => match tokio::time::timeout(HEARTBEAT, messages.next()).await {
            Ok(message) => message,
            Err(_) => return (Ok(silence), Some(messages)),
        },
    };
    let piece = message.and_then(|message| message.map(|it| encode.message(it)).transpose());
    match piece {
        Ok(Some(piece)) => (Ok(piece), Some(messages)),
        Ok(None) => (encode.end(Ok(messages.into_trailers())), None),
        Err(status) => (encode.end(Err(status)), None),
    }
}

/// One JSON value a line; a failure is the last line, in the shape of errors.
#[derive(Debug)]
pub(crate) struct Lines(pub(crate) Arc<Binding>, pub(crate) RequestId);

impl Encode for Lines {
    fn message(&mut self, message: Bytes) -> Result<Bytes, Status> {
        let content = transcode::answer(&self.0, message)?;
        Ok([content.data.as_ref(), b"\n"].concat().into())
    }

    fn end(&mut self, outcome: Result<HeaderMap, Status>) -> Result<Bytes, Status> {
        Ok(match outcome {
            Ok(_) => Bytes::new(),
            Err(status) => [errors::body(&self.1.on(status)).as_ref(), b"\n"].concat().into(),
        })
    }
}

/// Server-sent events: a message each, then `end` or `error`.
#[derive(Debug)]
pub(crate) struct Events {
    binding: Arc<Binding>,
    id: RequestId,
    sent: u64,
}

impl Events {
    pub(crate) fn new(binding: Arc<Binding>, id: RequestId) -> Self {
        Self { binding, id, sent: 0 }
    }
}

impl Encode for Events {
    fn message(&mut self, message: Bytes) -> Result<Bytes, Status> {
        self.sent += 1;
        let id = own_id(&self.binding, &message).unwrap_or_else(|| self.sent.to_string());
        let content = transcode::answer(&self.binding, message)?;
        let mut event = BytesMut::with_capacity(content.data.len() + id.len() + 16);
        event.extend_from_slice(format!("id: {id}\ndata: ").as_bytes());
        // JSON escapes its line ends, so an event's data is one line.
        event.extend_from_slice(&content.data);
        event.extend_from_slice(b"\n\n");
        Ok(event.freeze())
    }

    fn end(&mut self, outcome: Result<HeaderMap, Status>) -> Result<Bytes, Status> {
        Ok(match outcome {
            Ok(_) => Bytes::from_static(b"event: end\ndata: {}\n\n"),
            Err(status) => {
                let error = errors::body(&self.id.on(status));
                [b"event: error\ndata: ".as_slice(), &error, b"\n\n"].concat().into()
            }
        })
    }

    fn silence(&self) -> Option<Bytes> {
        Some(Bytes::from_static(b": heartbeat\n\n"))
    }
}

/// A message's own `id`, by which a listener goes on after a break.
fn own_id(binding: &Binding, message: &Bytes) -> Option<String> {
    let field = binding.rpc.output.get_field_by_name("id")?;
    let message = crate::json::decode(&binding.rpc.output, message.clone()).ok()?;
    let value = message.get_field(&field);
    let id = value.as_str().filter(|id| !id.is_empty() && !id.contains(char::is_control))?;
    Some(id.to_owned())
}

/// The bytes of `google.api.HttpBody` messages, one after the other.
#[derive(Debug)]
struct Pieces(Arc<Binding>);

impl Encode for Pieces {
    fn message(&mut self, message: Bytes) -> Result<Bytes, Status> {
        transcode::answer(&self.0, message).map(|content| content.data)
    }

    fn end(&mut self, outcome: Result<HeaderMap, Status>) -> Result<Bytes, Status> {
        outcome.map(|_| Bytes::new())
    }
}

/// A raw body with its content type, which stands in the first message.
pub(crate) async fn raw(
    binding: Arc<Binding>,
    mut messages: Messages,
) -> Result<(Body, HeaderValue), Status> {
    let Some(first) = messages.next().await? else {
        let content = transcode::answer(&binding, Bytes::new())?;
        return Ok((Body::empty(), content.media_type));
    };
    let content = transcode::answer(&binding, first)?;
    let first = stream::iter([Ok(Frame::data(content.data))]);
    let body = StreamBody::new(first.chain(pieces(messages, Pieces(binding))));
    Ok((Body::new(body), content.media_type))
}
