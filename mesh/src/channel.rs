//! How one service calls another, wherever it runs.

mod attempt;
mod backoff;
mod balancer;
mod breaker;
mod config;
mod connection;
mod endpoint;
mod hedge;
mod linked;
mod load;
mod outlier;
mod picker;
mod place;
mod received;
mod remote;
mod resolve;
mod retry;
mod subchannel;
mod target;
mod throttle;
mod underway;
mod wire;

use std::sync::{Arc, OnceLock};
use std::task::{Context as Poller, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, service_fn};

pub use self::config::{ConfigFileError, Configs, MalformedConfig, ServiceConfig};
pub(crate) use self::remote::{Remote, Way};
pub use self::target::{MalformedTarget, Target};
pub use self::throttle::{Throttle, Throttling};

use crate::caller::Principal;
use crate::clock::Clock;
use crate::context::{Context, HasContext};
use crate::failure::Refusal;
use crate::policy::Policies;
use crate::server::Stack;
use crate::service_token::{self, ServiceKey};

/// A way to a service; its caller cannot tell near from far. Cheap to clone.
///
/// The error is `Status`: with a boxed error, futures are not general enough for `tokio::spawn`.
pub type Channel = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// What a request says made it.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("tradewind/", env!("CARGO_PKG_VERSION")));

/// Whose call goes out, as a value beside its headers; nothing from the network can set it.
#[derive(Debug, Clone)]
pub(crate) struct Outbound {
    pub(crate) context: Context,
}

/// A service that another one calls.
#[derive(Clone)]
pub struct Peer {
    channel: Channel,
    service: &'static str,
}

impl Peer {
    pub(crate) fn new(channel: Channel, service: &'static str) -> Self {
        Self { channel, service }
    }

    /// What a generated client is made of to call for the caller of a request or of a task, within
    /// its deadline and its trace: `CatalogServiceClient::new(self.catalog.of(&request))`.
    #[must_use]
    pub fn of(&self, from: &impl HasContext) -> Outgoing {
        Outgoing { channel: self.channel.clone(), context: from.context().clone() }
    }

    /// The same, as the service itself on behalf of that caller: what processes do.
    #[must_use]
    pub fn as_service(&self, from: &impl HasContext) -> Outgoing {
        let context = from.context().as_service(self.service);
        Outgoing { channel: self.channel.clone(), context }
    }
}

/// A channel for one call or a few, with whose they are.
#[derive(Clone)]
pub struct Outgoing {
    channel: Channel,
    context: Context,
}

impl Service<Request<Body>> for Outgoing {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, poller: &mut Poller<'_>) -> Poll<Result<(), Status>> {
        self.channel.poll_ready(poller)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if self.context.has_open_transaction() {
            return std::future::ready(Err(Refusal::TransactionOpen.into())).boxed();
        }
        let context = self.context.clone();
        if context.is_kept() {
            request.extensions_mut().insert(Outbound { context });
            return self.channel.call(request);
        }
        let mut channel = self.channel.clone();
        async move {
            // Nobody is told of what may yet be undone.
            context.kept().await?;
            request.extensions_mut().insert(Outbound { context });
            channel.call(request).await
        }
        .boxed()
    }
}

/// The services of this process. On a task of its own, a call that is cancelled or panics behaves as over the wire.
pub(crate) fn near(stack: &Arc<OnceLock<Stack>>, target: &'static str) -> Channel {
    // The services in the stack have channels such as this one: together they would never end.
    let stack = Arc::downgrade(stack);
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
        let stack = stack.upgrade().and_then(|stack| stack.get().cloned());
        async move {
            let stack = stack.ok_or(Refusal::Unavailable(target))?;
            // In a box from the start: a spawned future is moved a handful of times, and this one is long.
            let call = AbortOnDropHandle::new(tokio::spawn(Box::pin(stack.answer(request))));
            call.await.map_err(|_| Refusal::Panicked.into())
        }
    }))
}

/// How this process shows others what it is.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) key: Option<Arc<ServiceKey>>,
    pub(crate) clock: Clock,
    /// The service that calls which no service makes are vouched for by, such as the gateway's.
    pub(crate) process: Arc<str>,
}

/// A channel to wherever a target says that services are, for a program that belongs to no mesh.
#[must_use]
pub fn dial(target: Target, policies: Arc<Policies>, configs: Configs) -> Channel {
    let way =
        Way { service: "the mesh", target, credentials: None, identities: None, registry: None };
    Remote::new(way, policies, configs, Arc::default()).channel()
}

/// Makes a request one to an endpoint: HTTP/2 wants to know who it is for.
fn address_to(authority: &Authority, is_plain: bool, request: &mut Request<Body>) {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if is_plain { Scheme::HTTP } else { Scheme::HTTPS });
    parts.authority = Some(authority.clone());
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    // A path, an authority and a scheme are a URI.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
}

impl Credentials {
    /// Writes what a near call has as values into the headers of a far one. Answers the service that vouches
    /// for them.
    fn write(
        &self,
        outbound: Option<&Outbound>,
        request: &mut Request<Body>,
    ) -> Result<Arc<str>, Status> {
        let target = service_token::audience(request.uri().path()).to_owned();
        let address =
            request.extensions().get::<std::net::SocketAddr>().map(|at| at.ip().to_string());
        let headers = request.headers_mut();
        for name in service_token::RESERVED {
            headers.remove(name);
        }
        let mut service = Arc::clone(&self.process);
        if let Some(Outbound { context }) = outbound {
            // Whose call it is says the context alone, near as far.
            headers.remove(AUTHORIZATION);
            put(headers, service_token::PROJECT, context.caller.project());
            if let Some(credential) = &context.credential {
                put(headers, AUTHORIZATION, &format!("Bearer {credential}"));
            } else if let Principal::Service { name, on_behalf } = context.caller.principal() {
                service = Arc::clone(name);
                put(headers, service_token::ACTING, name);
                if let Some(subject) = on_behalf {
                    put(headers, service_token::ON_BEHALF, subject);
                }
            }
            if let Some(address) = context.address() {
                put(headers, service_token::CLIENT_ADDRESS, address);
            }
        } else if let Some(address) = address {
            put(headers, service_token::CLIENT_ADDRESS, &address);
        }
        if let Some(key) = &self.key {
            let now = self.clock.now_micros() / 1_000_000;
            let token = key.token(&service, &target, now).ok_or(Refusal::NoKeys)?;
            put(headers, service_token::HEADER, &token);
        }
        Ok(service)
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
