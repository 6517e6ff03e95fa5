//! A document that does not change while the process runs: written once, packed once, known by its tag.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tonic::body::Body;

use crate::coding::{self, Accepted};

/// The document, as it is and packed.
pub(super) struct Stored {
    media_type: &'static str,
    plain: Bytes,
    packed: OnceLock<Option<Bytes>>,
    tag: String,
}

impl Stored {
    pub(super) fn new(media_type: &'static str, text: String) -> Self {
        let hash = Sha256::digest(&text);
        let digits: Vec<_> = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self {
            media_type,
            plain: text.into(),
            packed: OnceLock::new(),
            tag: format!("\"{}\"", digits.concat()),
        }
    }

    /// The document, or word that the caller has it already.
    pub(super) fn answer(&self, asked: &HeaderMap, accepted: Accepted) -> Response<Body> {
        let length = u64::try_from(self.plain.len()).unwrap_or(u64::MAX);
        let packed = accepted.wants_gzip(length).then(|| self.packed()).flatten();
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(ETAG, tag);
        }
        if packed.is_some() {
            headers.append(VARY, HeaderValue::from_static("accept-encoding"));
            coding::mark(headers);
        }
        if is_known(asked, &self.tag) {
            headers.remove(http::header::CONTENT_ENCODING);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Body::new(Full::new(packed.unwrap_or(self.plain.clone())));
        }
        response
    }

    fn packed(&self) -> Option<Bytes> {
        self.packed.get_or_init(|| coding::compress(&self.plain)).clone()
    }
}

/// Whether a caller has the document: weak tags and strong ones are the same here.
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let values = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
