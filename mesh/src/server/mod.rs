//! The layers that every call passes, near or far, in their order.

pub(crate) mod body;
mod cache;
mod lease;
mod outcome;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use http::{Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::ServiceExt;

use self::body::Watched;
use self::cache::{Answers, Looked};
use self::lease::lease;
pub(crate) use self::outcome::code_of;
use self::outcome::complete;
use crate::access;
use crate::admission::{Admission, Place};
use crate::changes::Changes;
use crate::channel::Outbound;
use crate::context::Context;
use crate::counted::{counted, single};
use crate::deadline;
use crate::failure::Refusal;
use crate::framing;
use crate::identity::{Identified, Identity};
use crate::limits::Limiter;
use crate::metrics::{CallTimer, Metrics, status_name};
use crate::policy::{Method, Policies, Takes};
use crate::replay::{self, Replay};
use crate::replicas::SharedAnswers;
use crate::service_token;
use crate::tls::PeerService;
use crate::trace::{self, Recording};

/// The largest message that a service takes or gives, in bytes.
pub(crate) const LONGEST_MESSAGE: usize = 4 << 20;

/// Answers calls: every layer, then the services' own routes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stack {
    parts: Arc<Parts>,
}

struct Parts {
    routes: Routes,
    policies: Arc<Policies>,
    metrics: Arc<Metrics>,
    identity: Arc<Identity>,
    limiter: Arc<Limiter>,
    admission: Option<Arc<Admission>>,
    answers: Answers,
}

impl Stack {
    #[expect(clippy::too_many_arguments, reason = "one for each layer")]
    pub(crate) fn new(
        routes: Routes,
        policies: Arc<Policies>,
        metrics: Arc<Metrics>,
        identity: Arc<Identity>,
        limiter: Arc<Limiter>,
        admission: Option<Arc<Admission>>,
        changes: Changes,
        shared: Option<Arc<dyn SharedAnswers>>,
    ) -> Self {
        let answers = Answers::new(changes, shared, &metrics);
        Self {
            parts: Arc::new(Parts {
                routes: routes.prepare(),
                policies,
                metrics,
                identity,
                limiter,
                admission,
                answers,
            }),
        }
    }

    /// Answers a call. Failures are answers too.
    pub(crate) async fn answer(self, mut request: Request<Body>) -> Response<Body> {
        let Some(method) = self.parts.policies.method(request.uri().path()).cloned() else {
            self.parts.metrics.unknown();
            let mut response =
                Status::from(Refusal::Unknown(request.uri().path().to_owned())).into_http();
            complete(response.headers_mut());
            return response;
        };
        let outbound = request.extensions_mut().remove::<Outbound>();
        let near = outbound.as_ref().map(|outbound| outbound.context.trace);
        let span = Recording::recv(&method, near, request.headers());
        // The deadline is first: what follows, waiting for keys included, is within it.
        let serves = outbound.as_ref().and_then(|outbound| outbound.context.deadline);
        let deadline = deadline::of(request.headers(), method.deadline(), serves);
        let until = deadline.as_ref().copied().unwrap_or_default();
        let call = self.parts.metrics.start(&method, until, span.at());
        let layered = match deadline {
            Ok(_) => {
                let layered = pin!(self.layered(&call, request, outbound, &span));
                span.follow(layered).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        let mut response = layered.unwrap_or_else(Status::into_http);
        if let Some(replayed) = replayed(&response) {
            response = replayed;
        }
        let failure = complete(response.headers_mut());
        if let Some((code, text)) = &failure {
            log(&method, &span, *code, text, &causes(&response));
        }
        if let Some(id) = span.at().header() {
            response.headers_mut().insert(trace::HEADER, id);
        }
        // A trailers-only answer ends here; any other when its body does.
        match code_of(response.headers()) {
            Some(code) => {
                end(&call, &span, code, 0);
                response
            }
            None => response.map(|body| {
                let body = if method.unary { body } else { lease(body, until) };
                Body::new(Watched::new(body, call, span))
            }),
        }
    }

    async fn layered(
        &self,
        call: &CallTimer,
        request: Request<Body>,
        outbound: Option<Outbound>,
        span: &Recording,
    ) -> Result<Response<Body>, Status> {
        let (parts, method, deadline) = (&self.parts, call.method(), call.deadline());
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(Refusal::DeadlineExceeded.into());
        }

        // Admission before identity: what is too much costs nothing. It believes who says to be a service, since
        // who is none is refused in the next step.
        let place = match &parts.admission {
            Some(admission) => {
                let by_service = outbound.is_some() || service_token::is_claimed(request.headers());
                admission.admit(method, by_service)?
            }
            None => None,
        };
        let answered = self.admitted(call, request, outbound, span, place.as_ref()).await;
        if let Some(place) = place {
            place.end(answered.as_ref().map_or_else(Status::code, |response| {
                code_of(response.headers()).unwrap_or(Code::Ok)
            }));
        }
        answered
    }

    async fn admitted(
        &self,
        call: &CallTimer,
        request: Request<Body>,
        outbound: Option<Outbound>,
        span: &Recording,
        place: Option<&Place>,
    ) -> Result<Response<Body>, Status> {
        let (parts, method, deadline) = (&self.parts, call.method(), call.deadline());
        // Identity before access, and both before the rate limit, which counts by caller.
        let identified = if let Some(outbound) = outbound {
            near(&parts.identity, method, outbound.context)?
        } else {
            let peer = request.extensions().get::<PeerService>();
            let identified = parts.identity.identify(request.headers(), peer, &method.path);
            within(deadline, identified).await??
        };
        access::check(method, &identified.caller)?;
        let from_mesh = identified.from_mesh;
        let context = context(method, &request, identified, deadline, span)?;
        if !from_mesh {
            within(deadline, parts.limiter.take(method.rpc.rate(), &context)).await??;
        }
        span.caller(context.caller.actor());
        let received = Arc::clone(call.received());
        // Services of the mesh call with generated clients, which send one.
        let request = if method.takes == Takes::One && !from_mesh {
            request.map(|body| single(body, received))
        } else {
            request.map(|body| counted(body, received))
        };

        // The cache stands after access: what may not be asked is not answered from memory either.
        let kept = method.rpc.cache.as_ref().filter(|_| method.unary && method.without_effect);
        let answered = pin!(async {
            let Some(rules) = kept else { return self.handle(method, request, context).await };
            match parts.answers.look(method, rules, &context.caller, request).await? {
                Looked::Hit(response) => {
                    parts.metrics.cache_hit(method);
                    if let Some(place) = place {
                        place.unmeasured();
                    }
                    Ok(response)
                }
                Looked::Miss(request, place) => {
                    let response = self.handle(method, *request, context).await?;
                    match place {
                        Some(place) => parts.answers.keep(place, response).await,
                        None => Ok(response),
                    }
                }
            }
        });
        within(deadline, answered).await?
    }

    /// The handler; a panic in it is a failure of this call alone.
    async fn handle(
        &self,
        method: &Method,
        mut request: Request<Body>,
        context: Context,
    ) -> Result<Response<Body>, Status> {
        request.extensions_mut().insert(context.clone());
        let handled = AssertUnwindSafe(self.parts.routes.clone().oneshot(request)).catch_unwind();
        let handled = handled.await;
        context.kept().await?;
        match handled {
            Ok(Ok(response)) if is_unrouted(&response) => {
                Err(Refusal::Unknown(method.path.to_string()).into())
            }
            Ok(Ok(response)) => match response.extensions().get::<Status>().cloned() {
                Some(status) => Err(context.refused(status).await),
                None => Ok(response),
            },
            Ok(Err(never)) => match never {},
            Err(_) => Err(Refusal::Panicked.into()),
        }
    }
}

/// What is known of a call that comes from this very process.
fn near(identity: &Identity, method: &Method, context: Context) -> Result<Identified, Refusal> {
    identity.check_near(&context.caller, &method.service)?;
    Ok(Identified {
        caller: context.caller,
        credential: context.credential,
        address: context.address,
        from_mesh: true,
    })
}

/// Whether the routes have no such RPC: a contract that is known, of a service that runs elsewhere.
fn is_unrouted(response: &Response<Body>) -> bool {
    let status = response.extensions().get::<Status>();
    status.is_some_and(|status| {
        let silent = status.message().is_empty() && status.details().is_empty();
        status.code() == Code::Unimplemented && silent
    })
}

async fn within<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Status> {
    match deadline {
        Some(deadline) => {
            timeout_at(deadline, work).await.map_err(|_| Refusal::DeadlineExceeded.into())
        }
        None => Ok(work.await),
    }
}

fn context(
    method: &Method,
    request: &Request<Body>,
    identified: Identified,
    deadline: Option<Instant>,
    span: &Recording,
) -> Result<Context, Refusal> {
    let mut context = Context::new(identified.caller, Arc::clone(&method.path), span);
    context.deadline = deadline;
    context.credential = identified.credential;
    context.idempotency_key = access::idempotency_key(method, request.headers())?;
    let peer = request.extensions().get::<std::net::SocketAddr>();
    context.address = identified.address.or_else(|| Some(peer?.ip().to_string().into()));
    Ok(context)
}

/// How a call ended whose key came before.
fn replayed(response: &Response<Body>) -> Option<Response<Body>> {
    let status = response.extensions().get::<Status>()?;
    let mut replayed = match std::error::Error::source(status)?.downcast_ref::<Replay>()? {
        Replay::Answer(answer) => {
            let mut answered = Response::new(body::answered(framing::framed(answer)));
            let grpc = http::HeaderValue::from_static("application/grpc");
            answered.headers_mut().insert("content-type", grpc);
            answered
        }
        Replay::Refusal(refusal) => replay::decoded(refusal).into_http(),
    };
    let headers = replayed.headers_mut();
    headers.insert("idempotency-replayed", http::HeaderValue::from_static("true"));
    Some(replayed)
}

/// Logs what went wrong on this side, once.
pub(crate) fn log(method: &Method, span: &Recording, code: Code, text: &str, causes: &str) {
    let ours = matches!(code, Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable);
    let (path, code) = (&*method.path, status_name(code));
    span.in_scope(|| {
        if ours {
            tracing::error!(rpc = path, code, causes, "{text}");
        } else {
            tracing::debug!(rpc = path, code, "{text}");
        }
    });
}

/// Every cause of a failed answer, the nearest first.
fn causes(response: &Response<Body>) -> String {
    let mut causes = Vec::new();
    let status = response.extensions().get::<Status>();
    let mut cause = status.and_then(std::error::Error::source);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.join(": ")
}

/// Counts and records the end of a call that so many bytes of messages answered.
pub(crate) fn end(call: &CallTimer, span: &Recording, code: Code, sent: u64) {
    let elapsed = call.finish(code, sent);
    span.end(code, call.received().load(Ordering::Relaxed), sent);
    span.in_scope(|| {
        tracing::debug!(code = status_name(code), elapsed_us = elapsed.as_micros(), "answered");
    });
}
