//! Failures as they leave: each with a reason that programs can tell, and none longer than headers may be.
//!
//! Invariant: what a failure takes in headers stays below 8 KiB, whoever made it and whatever a caller
//! put into it; 16 KiB hang some clients.

use std::collections::HashMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::HeaderMap;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt, pb};

use super::LONGEST_MESSAGE;
use crate::failure::{DOMAIN, Refusal};
use crate::metrics::status_name;

/// The longest text of a failure, in bytes; a header holds it with up to three letters a byte.
const LONGEST_TEXT: usize = 1024;
/// What text and details take in headers together at most, in letters.
const LONGEST_FAILURE: usize = 7 << 10;
/// How tonic says that a request is longer than it reads. gRPC has another code for that.
const TOO_LONG: &str = "Error, decoded message length too large";

/// tonic writes details without padding; others may have padded them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The code in the headers or trailers of an answer.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// Gives a failure in headers or trailers its reason where it has none, and cuts what is too long.
/// Answers its code and text.
pub(crate) fn complete(headers: &mut HeaderMap) -> Option<(Code, String)> {
    if code_of(headers)? == Code::Ok {
        return None;
    }
    let details = headers.get(Status::GRPC_STATUS_DETAILS);
    if details.is_some_and(|details| BASE64.decode(details.as_bytes()).is_err()) {
        headers.remove(Status::GRPC_STATUS_DETAILS);
    }
    let mut status = Status::from_header_map(headers)?;
    if status.code() == Code::OutOfRange && status.message().starts_with(TOO_LONG) {
        status = Refusal::TooLarge(LONGEST_MESSAGE).into();
    }
    let end = status.message().floor_char_boundary(LONGEST_TEXT);
    let text = status.message()[..end].to_owned();
    let details = details_of(&status, &text);
    let code = status.code();
    for name in [Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS] {
        headers.remove(name);
    }
    let status =
        Status::with_details_and_metadata(code, text.clone(), details, MetadataMap::default());
    // Writing a status to headers fails only on text that is not text.
    let _ = status.add_header(headers);
    Some((code, text))
}

/// What there is to know besides, as much of it as fits.
fn details_of(status: &Status, text: &str) -> Bytes {
    let room = room_beside(text);
    if let Some(own) = of_the_service(status, text, room) {
        return own;
    }
    let code = status.code();
    let mut details = status.get_error_details();
    if details.error_info().is_none() {
        details.set_error_info(status_name(code), DOMAIN, HashMap::new());
    }
    loop {
        let written = Status::with_error_details(code, text, details.clone());
        if written.details().len() <= room {
            return Bytes::copy_from_slice(written.details());
        }
        match shortened(&details, room - text.len()) {
            Some(shorter) => details = shorter,
            None => return Bytes::new(),
        }
    }
}

/// How long details may be beside a text, in bytes: a header holds four letters for three of them.
fn room_beside(text: &str) -> usize {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'%';
    let letters: usize = text.bytes().map(|byte| if plain(byte) { 1 } else { 3 }).sum();
    LONGEST_FAILURE.saturating_sub(letters) / 4 * 3
}

/// Details that are not of `google.rpc`, with those beside them: an agreement of a service with its callers,
/// to which nothing is added.
fn of_the_service(status: &Status, text: &str, room: usize) -> Option<Bytes> {
    let mut told = pb::Status::decode(status.details()).ok()?;
    let own =
        |detail: &str| !detail.rsplit('/').next().unwrap_or_default().starts_with("google.rpc.");
    if !told.details.iter().any(|detail| own(&detail.type_url)) {
        return None;
    }
    told.code = status.code().into();
    text.clone_into(&mut told.message);
    let written = told.encode_to_vec();
    (written.len() <= room).then(|| written.into())
}

/// Half of the longest list; when no list is left to halve, the reason and the time to wait alone, if
/// there is room for them.
fn shortened(details: &ErrorDetails, room: usize) -> Option<ErrorDetails> {
    let fields = details.bad_request().map_or(0, |told| told.field_violations.len());
    let conditions = details.precondition_failure().map_or(0, |told| told.violations.len());
    let mut shorter = details.clone();
    if fields.max(conditions) > 1 {
        if fields >= conditions {
            let told = details.bad_request()?.field_violations[..fields / 2].to_vec();
            shorter.set_bad_request(told);
        } else {
            let told = details.precondition_failure()?.violations[..conditions / 2].to_vec();
            shorter.set_precondition_failure(told);
        }
        return Some(shorter);
    }
    let info = details.error_info()?;
    let retry = details.retry_info().and_then(|retry| retry.retry_delay);
    let mut bare = ErrorDetails::new();
    bare.set_error_info(&info.reason, &info.domain, HashMap::new());
    if let Some(retry) = retry {
        bare.set_retry_info(Some(retry));
    }
    let said = Status::with_error_details(Code::Unknown, "", bare.clone()).details().len();
    // The details repeat the code and the text, with a few bytes around them.
    (said + 16 <= room).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(type_url: &str, length: usize) -> HeaderMap {
        let value = vec![7; length];
        let detail = prost_types::Any { type_url: type_url.to_owned(), value };
        let status = pb::Status { code: 5, message: "gone".to_owned(), details: vec![detail] };
        let status = Status::with_details(Code::NotFound, "gone", status.encode_to_vec().into());
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        complete(&mut headers);
        headers
    }

    #[test]
    fn details_of_a_services_own_kind_leave_as_they_are_while_they_fit() {
        let types = |length| {
            let headers = told("type.googleapis.com/shop.v1.Shelf", length);
            let status = Status::from_header_map(&headers).unwrap();
            let told = pb::Status::decode(status.details()).unwrap();
            told.details.into_iter().map(|it| it.type_url).collect::<Vec<_>>()
        };

        assert_eq!(types(100), ["type.googleapis.com/shop.v1.Shelf"]);
        assert_eq!(types(6000), ["type.googleapis.com/google.rpc.ErrorInfo"]);
    }
}
