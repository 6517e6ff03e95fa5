//! The codec of servers: protobuf, and no handler ever holds an invalid request.

use std::marker::PhantomData;

use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::{Check, Violations};

/// The domain of `ErrorInfo` for what the mesh itself refuses.
pub const DOMAIN: &str = "mesh.tradewind";

/// Protobuf that checks every decoded message by the rules of its contract.
#[derive(Debug, Clone)]
pub struct Validated<T, U> {
    codec: ProstCodec<T, U>,
}

impl<T, U> Default for Validated<T, U> {
    fn default() -> Self {
        Self { codec: ProstCodec::default() }
    }
}

impl<T, U> Codec for Validated<T, U>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Check + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ValidatedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        self.codec.encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        ValidatedDecoder { decoder: self.codec.decoder(), checked: PhantomData }
    }
}

/// The decoding half of [`Validated`].
#[derive(Debug)]
pub struct ValidatedDecoder<U> {
    decoder: ProstDecoder<U>,
    checked: PhantomData<U>,
}

impl<U> Decoder for ValidatedDecoder<U>
where
    U: prost::Message + Default + Check,
{
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = self.decoder.decode(buffer).map_err(|error| malformed(&error))?;
        if let Some(message) = &message {
            message.check().map_err(|violations| refusal(&violations))?;
        }
        Ok(message)
    }
}

/// `INVALID_ARGUMENT` for bytes that are not the message they should be.
fn malformed(error: &Status) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info("MALFORMED_MESSAGE", DOMAIN, []);
    Status::with_error_details(
        tonic::Code::InvalidArgument,
        format!("the request is not a message of its contract: {}", error.message()),
        details,
    )
}

/// `INVALID_ARGUMENT` with a `BadRequest` that names every field.
pub fn refusal(violations: &Violations) -> Status {
    let fields: Vec<_> = violations
        .violations()
        .iter()
        .map(|violation| FieldViolation::new(violation.field_path(), violation.message()))
        .collect();
    let first = fields
        .first()
        .map_or_else(String::new, |first| format!(": {} {}", first.field, first.description));
    let mut details = ErrorDetails::new();
    details.set_error_info("INVALID_REQUEST", DOMAIN, []);
    details.set_bad_request(fields);
    Status::with_error_details(
        tonic::Code::InvalidArgument,
        format!("the request breaks a rule of its contract{first}"),
        details,
    )
}
