//! The pages that the edge answers by itself: what this is, the API reference, health.

mod html;
mod reference;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prost_reflect::DescriptorPool;
use tonic::body::Body;

use crate::binding::Binding;
use crate::errors;
use crate::openapi::{self, Comments};
use crate::rpc::Rpc;

/// Whether this process wants traffic now.
type Ready = Arc<dyn Fn() -> bool + Send + Sync>;

/// The pages, written once.
pub(crate) struct Pages {
    home: String,
    reference: Bytes,
    openapi: Bytes,
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
        Self {
            home: html::home(bindings),
            reference: reference::page(&comments, rpcs, bindings).into(),
            openapi: document.to_string().into(),
            ready,
        }
    }

    /// The page at a request's path, if there is one.
    pub(crate) fn answer(&self, request: &Request<Body>) -> Option<Response<Body>> {
        let path = request.uri().path();
        if !matches!(path, "/" | "/docs" | "/openapi.json" | "/healthz" | "/readyz") {
            return None;
        }
        let method = request.method();
        if !matches!(method, &Method::GET | &Method::HEAD) {
            let refused = errors::method_not_allowed(method, path, &[Method::GET]);
            return Some(errors::response(&refused));
        }
        Some(match path {
            "/" => page(self.home.replace(html::HOST, html::host(authority(request))).into()),
            "/docs" => page(self.reference.clone()),
            "/openapi.json" => content(StatusCode::OK, "application/json", self.openapi.clone()),
            "/readyz" if !(self.ready)() => content(
                StatusCode::SERVICE_UNAVAILABLE,
                "text/plain",
                Bytes::from_static(b"not ready\n"),
            ),
            _ => content(StatusCode::OK, "text/plain", Bytes::from_static(b"ok\n")),
        })
    }
}

/// The host that the caller used; HTTP/2 has it in the URI.
fn authority(request: &Request<Body>) -> Option<&str> {
    let in_uri = request.uri().authority().map(http::uri::Authority::as_str);
    in_uri.or_else(|| request.headers().get(HOST)?.to_str().ok())
}

fn content(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    set(headers, CONTENT_TYPE, media_type);
    set(headers, CACHE_CONTROL, "no-cache");
    response
}

fn page(html: Bytes) -> Response<Body> {
    let mut response = content(StatusCode::OK, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'";
    set(headers, CONTENT_SECURITY_POLICY, policy);
    set(headers, X_FRAME_OPTIONS, "DENY");
    set(headers, REFERRER_POLICY, "no-referrer");
    response
}

fn set(headers: &mut HeaderMap, name: http::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
