//! How a repeated call ends: as the first one did, by what was stored of it.

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

/// How a call with this idempotency key ended before. It travels as an error, so that `?` leaves the handler; a layer
/// makes the response of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Replay {
    /// It was answered, with this protobuf.
    #[error("this call was answered before")]
    Answer(Bytes),
    /// It was refused, with this `google.rpc.Status`.
    #[error("this call was refused before")]
    Refusal(Bytes),
}

impl From<Replay> for Status {
    fn from(replay: Replay) -> Self {
        let mut status = Status::internal("an answer was replayed past the layer that sends it");
        status.set_source(std::sync::Arc::new(replay));
        status
    }
}

/// Where it is kept that a call with an idempotency key was refused, so that whatever comes with its key is too.
#[async_trait]
pub trait KeepsRefusal: std::fmt::Debug + Send + Sync {
    /// Keeps it, and returns what the call ends with: the refusal, or how a call with its key has ended meanwhile.
    async fn keep(&self, refusal: Status) -> Status;
}

/// Whether a code says that nothing was done and nothing will be: no repeat of the call can change it.
#[must_use]
pub fn is_refusal(code: Code) -> bool {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

/// A refusal as it is kept, a `google.rpc.Status`.
#[must_use]
pub fn encoded(refusal: &Status) -> Vec<u8> {
    // With details, they are that message already.
    if !refusal.details().is_empty() {
        return refusal.details().to_vec();
    }
    let (code, message) = (refusal.code().into(), refusal.message().to_owned());
    tonic_types::pb::Status { code, message, details: Vec::new() }.encode_to_vec()
}

/// A refusal that was kept.
pub(crate) fn decoded(refusal: &Bytes) -> Status {
    match tonic_types::pb::Status::decode(refusal.clone()) {
        Ok(kept) => Status::with_details(Code::from(kept.code), kept.message, refusal.clone()),
        Err(_) => Status::data_loss("how this call ended before cannot be read"),
    }
}
