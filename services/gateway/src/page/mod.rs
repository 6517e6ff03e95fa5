//! The pages that the edge answers by itself: what this is, the API reference, health.

mod fields;
mod home;
mod html;
mod reference;
mod shelf;
mod stored;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use mesh::Status;
use prost_reflect::DescriptorPool;
use tonic::body::Body;

use self::stored::Stored;
use crate::binding::Binding;
use crate::coding::Accepted;
use crate::edge::Edge;
use crate::errors;
use crate::openapi::{self, Comments};
use crate::rpc::Rpc;

/// Whether this process wants traffic now.
type Ready = Arc<dyn Fn() -> bool + Send + Sync>;

/// What the pages are made of.
pub(crate) struct Pages {
    services: Vec<home::Service>,
    reference: Stored,
    openapi: Stored,
    ready: Ready,
}

impl Pages {
    pub(crate) fn new(
        pool: &DescriptorPool,
        rpcs: &[Arc<Rpc>],
        bindings: &[Binding],
        ready: Ready,
    ) -> Self {
        let comments = Comments::read(pool);
        let document = openapi::document(pool, &comments, bindings);
        let reference = reference::page(pool, &comments, rpcs, bindings);
        Self {
            services: home::services(&comments, rpcs),
            reference: Stored::new(HTML, reference),
            openapi: Stored::new("application/json", document.to_string()),
            ready,
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";

/// The page at a request's path, if there is one.
pub(crate) async fn answer(
    edge: &Edge,
    asked: &Parts,
    accepted: Accepted,
) -> Option<Result<Response<Body>, Status>> {
    let path = asked.uri.path();
    if !matches!(path, "/" | "/docs" | "/openapi.json" | "/healthz" | "/readyz") {
        return None;
    }
    let method = &asked.method;
    if !matches!(method, &Method::GET | &Method::HEAD) {
        return Some(Err(errors::method_not_allowed(method, path, &[Method::GET])));
    }
    let pages = &edge.pages;
    let mut response = match path {
        "/" => {
            let host = host(authority(asked));
            let text = home::page(edge, &pages.services, asked, host, (pages.ready)()).await;
            content(StatusCode::OK, HTML, text.into())
        }
        "/docs" => pages.reference.answer(&asked.headers, accepted),
        "/openapi.json" => pages.openapi.answer(&asked.headers, accepted),
        "/readyz" if !(pages.ready)() => {
            content(StatusCode::SERVICE_UNAVAILABLE, TEXT, Bytes::from_static(b"not ready\n"))
        }
        _ => content(StatusCode::OK, TEXT, Bytes::from_static(b"ok\n")),
    };
    protect(response.headers_mut());
    Some(Ok(response))
}

const TEXT: &str = "text/plain; charset=utf-8";

/// The host that the caller used; HTTP/2 has it in the URI.
fn authority(asked: &Parts) -> Option<&str> {
    let in_uri = asked.uri.authority().map(http::uri::Authority::as_str);
    in_uri.or_else(|| asked.headers.get(HOST)?.to_str().ok())
}

/// The host to write in examples: the one that the caller used, if it is one.
fn host(authority: Option<&str>) -> &str {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    let authority = authority.filter(|text| {
        (1..=253).contains(&text.len()) && !text.starts_with('-') && text.chars().all(allowed)
    });
    authority.unwrap_or("127.0.0.1:8080")
}

fn content(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// What browsers must know of every page: it may load and do nothing, and be shown in no other.
fn protect(headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(CACHE_CONTROL, "no-cache");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    headers.insert(CONTENT_SECURITY_POLICY, html::POLICY.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        assert_eq!(host(Some("shop.example:8080")), "shop.example:8080");
        for wrong in [None, Some(""), Some("<script>"), Some("a;rm"), Some("-o"), Some("a b")] {
            assert_eq!(host(wrong), "127.0.0.1:8080", "{wrong:?}");
        }
    }
}
