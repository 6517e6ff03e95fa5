//! Messages of a request as they come: unframed, unpacked, each held to the limit.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use mesh::Status;
use tonic::body::Body;

use crate::call;
use crate::coding::Coding;
use crate::errors::Refusal;

/// The flag of a message that is packed.
pub(crate) const PACKED: u8 = 0b1;

/// What was wrong with a request that had begun to be answered; its answer ends with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Broken(Arc<OnceLock<Status>>);

impl Broken {
    /// The failure, once there is one.
    pub(crate) fn get(&self) -> Option<&Status> {
        self.0.get()
    }

    /// What a call failed with: what was wrong with its request, where that is known to be wrong.
    pub(crate) fn or(&self, status: Status) -> Status {
        self.get().cloned().unwrap_or(status)
    }
}

/// The messages of a body.
pub(crate) struct Incoming {
    body: Body,
    buffer: BytesMut,
    coding: Coding,
    limit: usize,
}

impl Incoming {
    /// The messages of a body, which are packed in one way or not at all.
    pub(crate) fn new(body: Body, coding: Coding, limit: usize) -> Self {
        Self { body, buffer: BytesMut::new(), coding, limit }
    }

    /// The one message of a call that takes no more.
    pub(crate) async fn only(mut self) -> Result<Bytes, Status> {
        let Some(message) = self.next().await? else { return Err(Refusal::NotOne.into()) };
        match self.next().await? {
            None => Ok(message),
            Some(_) => Err(Refusal::NotOne.into()),
        }
    }

    /// The messages as they come, as gRPC frames them; what cannot be passed on is told to the answer.
    pub(crate) fn into_body(
        self,
        convert: impl Fn(Bytes) -> Result<Bytes, Status> + Send + 'static,
        broken: Broken,
    ) -> Body {
        let messages = stream::unfold(Some((self, convert)), move |open| {
            let broken = broken.clone();
            async move {
                let (mut incoming, convert) = open?;
                match incoming.next().await.and_then(|it| it.map(&convert).transpose()) {
                    Ok(message) => {
                        let framed = Frame::data(call::frame(0, &message?));
                        Some((Ok(framed), Some((incoming, convert))))
                    }
                    Err(status) => {
                        // The first failure is the one that counts, and there is only one.
                        let _ = broken.0.set(status.clone());
                        Some((Err(status), None))
                    }
                }
            }
        });
        Body::new(StreamBody::new(messages))
    }

    /// The next message; `None` once the body has ended between two.
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.take().await? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    // Trailers of a request mean nothing.
                    self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Some(Err(_)) => return Err(Refusal::BodyCut.into()),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Refusal::Framing("its last message is not whole").into()),
            }
        }
    }

    async fn take(&mut self) -> Result<Option<Bytes>, Status> {
        if call::length(&self.buffer).is_some_and(|length| length > self.limit) {
            return Err(Refusal::TooLarge(self.limit).into());
        }
        match call::unframe(&mut self.buffer) {
            None => Ok(None),
            Some((0, message)) => Ok(Some(message)),
            Some((PACKED, message)) if self.coding != Coding::Identity => {
                self.coding.decode(message, self.limit).await.map(Some)
            }
            Some((PACKED, _)) => Err(Refusal::UnnamedCoding.into()),
            Some(_) => Err(Refusal::Framing("a message has a flag that is not known").into()),
        }
    }
}
