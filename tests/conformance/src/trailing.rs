//! Metadata behind the message of a unary answer.
//!
//! Handlers of unary calls have no place for it, while streams end with a status that has one. The suites
//! ask for it in both, so here a handler leaves it beside its answer, and it is sent behind the message.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// What a handler leaves in the extensions of its answer.
#[derive(Debug, Clone)]
pub(crate) struct Trailing(pub(crate) HeaderMap);

/// A generated server whose handlers may leave [`Trailing`] metadata.
#[derive(Debug, Clone)]
pub(crate) struct WithTrailing<S>(pub(crate) S);

impl<S: NamedService> NamedService for WithTrailing<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for WithTrailing<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, poller: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(poller)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            let Some(Trailing(trailers)) = response.extensions_mut().remove() else {
                return Ok(response);
            };
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |mut frame| {
                    if let Some(last) = frame.trailers_mut() {
                        last.extend(trailers.clone());
                    }
                    frame
                }))
            }))
        })
    }
}
