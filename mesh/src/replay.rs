//! The answer of a repeated call: the first call's, as it was stored.

use bytes::Bytes;
use tonic::Status;

/// An answer given before. It travels as an error, so that `?` leaves the handler; a layer makes it the OK response.
#[derive(Debug, Clone, thiserror::Error)]
#[error("this call was answered before")]
pub struct Replay {
    /// The protobuf of the answer.
    pub answer: Bytes,
}

impl From<Replay> for Status {
    fn from(replay: Replay) -> Self {
        let mut status = Status::internal("an answer was replayed past the layer that sends it");
        status.set_source(std::sync::Arc::new(replay));
        status
    }
}
