//! REST with JSON, by the HTTP mappings of the contracts.

use std::sync::Arc;

use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use mesh::Status;
use prost::Message;
use tonic::body::Body;

use crate::binding::{Binding, is_raw};
use crate::call::Call;
use crate::edge::Edge;
use crate::errors::{self, Refusal};
use crate::request_id::RequestId;
use crate::route::Found;
use crate::{headers, stream, transcode};

/// Answers a request by the mapping that its method and path lead to.
pub(crate) async fn answer(edge: &Edge, request: Request<Body>, id: &RequestId) -> Response<Body> {
    let answer = respond(edge, request, id).await;
    answer.unwrap_or_else(|status| errors::response(&id.on(status)))
}

async fn respond(
    edge: &Edge,
    request: Request<Body>,
    id: &RequestId,
) -> Result<Response<Body>, Status> {
    let method = match request.method() {
        &Method::HEAD => &Method::GET,
        other => other,
    };
    let path = request.uri().path();
    match edge.routes.find(method, path) {
        Found::Binding(binding, captures) => call(edge, binding, &captures, request, id).await,
        Found::OtherMethods(allowed) if method == Method::OPTIONS => Ok(options(&allowed)),
        Found::OtherMethods(allowed) => Err(errors::method_not_allowed(method, path, &allowed)),
        Found::Nothing => Err(Refusal::NoRoute(request.method().clone(), path.to_owned()).into()),
        Found::Malformed => Err(Refusal::MalformedPath.into()),
    }
}

fn options(allowed: &[Method]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(&errors::allow(allowed)) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

async fn call(
    edge: &Edge,
    binding: Arc<Binding>,
    captures: &[String],
    request: Request<Body>,
    id: &RequestId,
) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    let call =
        edge.call(&binding.rpc, headers::rest_metadata(&parts.headers)?, &parts.extensions)?;
    let body = edge.read(&parts.headers, body).await?;
    let query = parts.uri.query().unwrap_or_default();
    let message = transcode::request(&binding, captures, query, &parts.headers, &body)?;
    let encoded = message.encode_to_vec();
    if binding.rpc.streams() {
        return follow(call, binding, &encoded, &parts.headers, id).await;
    }

    let answer = call.unary(&encoded).await?;
    let content = transcode::answer(&binding, answer.message)?;
    let mut response = Response::new(Body::new(Full::new(content.data)));
    let sent = response.headers_mut();
    headers::from_metadata(sent, &answer.headers);
    headers::from_metadata(sent, &answer.trailers);
    finish(sent, content.media_type);
    Ok(response)
}

fn finish(sent: &mut HeaderMap, media_type: HeaderValue) {
    sent.insert(CONTENT_TYPE, media_type);
    sent.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Answers with a stream, in the form that the caller accepts.
async fn follow(
    call: Call,
    binding: Arc<Binding>,
    encoded: &[u8],
    asked: &HeaderMap,
    id: &RequestId,
) -> Result<Response<Body>, Status> {
    let (metadata, messages) = call.stream(encoded).await?;
    let id = id.clone().answered(&metadata);
    let (body, media_type) = if binding.output().as_ref().is_some_and(is_raw) {
        stream::raw(binding, messages).await?
    } else if wants_events(asked) {
        let body = stream::body(messages, stream::Events::new(binding, id));
        (body, HeaderValue::from_static("text/event-stream"))
    } else {
        let body = stream::body(messages, stream::Lines(binding, id));
        (body, HeaderValue::from_static("application/x-ndjson"))
    };
    let mut response = Response::new(body);
    let sent = response.headers_mut();
    headers::from_metadata(sent, &metadata);
    finish(sent, media_type);
    sent.append(VARY, HeaderValue::from_static("accept"));
    // Without it, nginx keeps the pieces of a stream until it has enough of them.
    sent.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn wants_events(asked: &HeaderMap) -> bool {
    let accepted = asked.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        range
            .split(';')
            .next()
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}
