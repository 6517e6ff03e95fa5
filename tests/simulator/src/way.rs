//! The way of a call, with what happens to it.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use mesh::{Channel, IDEMPOTENCY_KEY, Refusal, Status};
use tonic::body::Body;
use tower::ServiceExt;

use crate::agent::{Agent, is_repeatable};
use crate::fault::{Fault, Place};
use crate::planted::Bug;

/// Calls a service, or lets go wrong what the seed has for this call.
pub(crate) async fn call(
    agent: Agent,
    service: &'static str,
    channel: Channel,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    agent.pass();
    let path = request.uri().path().to_owned();
    if agent.has(Bug::ReleasesNothing) && path.ends_with("/ReleaseReservation") {
        return Ok(done());
    }
    let repeatable = is_repeatable(&path, request.headers().contains_key(IDEMPOTENCY_KEY));
    let place = if repeatable { Place::RepeatableCall } else { Place::Call };
    let Some((fault, lot)) = agent.draw(place, &format!("call {service} {}", short(&path))) else {
        return channel.oneshot(request).await;
    };
    match fault {
        Fault::RequestLost => Err(lost(service, lot)),
        Fault::ReplyLost => {
            let _ = channel.oneshot(request).await;
            Err(lost(service, lot))
        }
        Fault::Straggles => {
            tokio::spawn(async move {
                agent.hold(lot).await;
                let _ = channel.oneshot(request).await;
            });
            Err(lost(service, lot))
        }
        Fault::Delayed => {
            agent.hold(lot).await;
            channel.oneshot(request).await
        }
        Fault::Repeated => {
            let (first, second) = twice(request).await?;
            let first = channel.clone().oneshot(first).await;
            let second = channel.oneshot(second).await;
            if lot.is_multiple_of(2) { first } else { second }
        }
        Fault::Doubled => {
            let (first, second) = twice(request).await?;
            let both = (channel.clone().oneshot(first), channel.oneshot(second));
            let (first, second) = tokio::join!(both.0, both.1);
            if lot.is_multiple_of(2) { first } else { second }
        }
        Fault::KilledBefore => agent.kill().await,
        Fault::KilledAfter => {
            let _ = channel.oneshot(request).await;
            agent.kill().await
        }
        Fault::CommitRefused
        | Fault::CommitLost
        | Fault::QuestionLost
        | Fault::Unreached
        | Fault::AnswerLost
        | Fault::Late
        | Fault::Lie => channel.oneshot(request).await,
    }
}

/// The last part of a path, or of the name of a contract.
pub(crate) fn short(path: &str) -> &str {
    path.rsplit(['/', '.']).next().unwrap_or(path)
}

/// What a caller is told of a call of which nobody knows what came.
fn lost(service: &'static str, lot: u64) -> Status {
    match lot % 3 {
        0 => Refusal::DeadlineExceeded.into(),
        _ => Refusal::Unavailable(service).into(),
    }
}

/// The same request twice.
async fn twice(request: Request<Body>) -> Result<(Request<Body>, Request<Body>), Status> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let of = |bytes: Bytes| {
        Body::new(Full::new(bytes).map_err(|never: std::convert::Infallible| match never {}))
    };
    let first = Request::from_parts(parts.clone(), of(bytes.clone()));
    Ok((first, Request::from_parts(parts, of(bytes))))
}

/// An empty message, and OK: what a service says that did nothing.
fn done() -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = Bytes::from_static(&[0; 5]);
    let frames = [Ok::<_, Status>(Frame::data(message)), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
