//! Answers coded as their callers accept.
//!
//! Invariant: an answer that goes on is never coded as a whole, or its messages would wait; nor is
//! one that is coded already, or that says that nobody may.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderName, VARY};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use tonic::body::Body;

use super::{Accepted, compress};
use crate::errors;

/// More bytes than this are packed on a thread that serves nobody else.
const AT_ONCE: usize = 64 << 10;

/// An answer, packed when its caller accepts that and its length is known and worth it.
pub(crate) async fn coded(response: Response<Body>, accepted: Accepted) -> Response<Body> {
    let Some(length) = response.body().size_hint().exact() else { return response };
    if !may_be_coded(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    if !accepted.wants_gzip(length) {
        return Response::from_parts(parts, body);
    }
    let plain = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(status) => return errors::response(&status),
    };
    match packed(plain.clone()).await {
        Some(packed) => {
            mark(&mut parts.headers);
            Response::from_parts(parts, Body::new(Full::new(packed)))
        }
        None => Response::from_parts(parts, Body::new(Full::new(plain))),
    }
}

async fn packed(plain: Bytes) -> Option<Bytes> {
    if plain.len() <= AT_ONCE {
        return compress(&plain);
    }
    tokio::task::spawn_blocking(move || compress(&plain)).await.ok().flatten()
}

/// Says of an answer that it is packed.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(CONTENT_LENGTH);
    // A strong tag names the bytes, which are others now; a weak one names what they mean.
    let strong = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    let weak = strong.map(|tag| [b"W/", tag.as_bytes()].concat());
    if let Some(weak) = weak.and_then(|tag| HeaderValue::from_bytes(&tag).ok()) {
        headers.insert(ETAG, weak);
    }
}

fn may_be_coded(headers: &HeaderMap) -> bool {
    let says = |name: &HeaderName, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim() == word)
    };
    !headers.contains_key(CONTENT_ENCODING)
        && !says(&CACHE_CONTROL, "no-transform")
        && is_text(&crate::headers::media_type(headers))
}

/// Whether a media type is of text, or of messages that pack as well; pictures are packed already.
fn is_text(media_type: &str) -> bool {
    match media_type {
        "application/json" | "application/proto" | "application/xml" | "image/svg+xml" => true,
        // Streams pack message by message, if at all.
        "text/event-stream" => false,
        other => other.starts_with("text/"),
    }
}
