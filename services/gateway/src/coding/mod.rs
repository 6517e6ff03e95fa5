//! Content codings: in what form bodies travel. `gzip` is known, and `identity`.
//!
//! Invariant: what a body unpacks to is held to the same limit as one that came unpacked.

mod accept;
mod answer;
mod gzip;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use mesh::Status;

use crate::errors::Refusal;

pub(crate) use self::accept::Accepted;
pub(crate) use self::answer::{coded, mark};
pub(crate) use self::gzip::compress;

/// What is told of the codings that requests may have.
pub(crate) const KNOWN: HeaderValue = HeaderValue::from_static("gzip, identity");

/// Shorter messages and bodies do not get shorter by enough to be worth it.
pub(crate) const WORTH_IT: usize = 1024;

/// The coding of a body or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As it is.
    Identity,
    /// By gzip.
    Gzip,
}

impl Coding {
    /// The coding that a header names; one that is not known is refused, as are several.
    pub(crate) fn of(headers: &HeaderMap, name: &HeaderName) -> Result<Self, Status> {
        let mut named = headers.get_all(name).iter();
        let first = named.next().map_or(Ok(""), HeaderValue::to_str).unwrap_or("?");
        if let Some(second) = named.next() {
            let both = format!("{first}, {}", second.to_str().unwrap_or("?"));
            return Err(Refusal::Encoding(both).into());
        }
        Self::named(first.trim())
    }

    /// A coding by its name.
    pub(crate) fn named(name: &str) -> Result<Self, Status> {
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            // HTTP asks for the old name to be understood too.
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            _ => Err(Refusal::Encoding(name.to_owned()).into()),
        }
    }

    /// What was coded, when it is not larger than it may be. What is empty is never coded.
    pub(crate) async fn decode(self, data: Bytes, limit: usize) -> Result<Bytes, Status> {
        if self == Self::Identity || data.is_empty() {
            return Ok(data);
        }
        // A few bytes can unpack to millions, so the threads that serve others never do it.
        let unpacked = tokio::task::spawn_blocking(move || gzip::decompress(&data, limit)).await;
        unpacked.unwrap_or(Err(Refusal::BodyCut)).map_err(Status::from)
    }
}
