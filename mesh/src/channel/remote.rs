//! A service of other processes: every call to it, over as many endpoints and tries as it takes.

use std::sync::{Arc, Mutex, OnceLock};

use http::uri::Authority;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use super::attempt::{Call, Sendable};
use super::balancer::Balancer;
use super::config::{Configs, More, Retry};
use super::outlier::Rules;
use super::place::Places;
use super::target::Target;
use super::throttle::Throttle;
use super::underway::Underway;
use super::wire;
use super::{Channel, Credentials, Outbound, address_to};
use crate::access::IDEMPOTENCY_KEY;
use crate::counted::counted;
use crate::deadline;
use crate::failure::Refusal;
use crate::metrics::{self, Metrics};
use crate::policy::{Policies, Takes};
use crate::trace::{self, Recording};

/// A service of other processes.
pub(crate) struct Remote {
    pub(super) service: &'static str,
    pub(super) target: Target,
    pub(super) authority: Authority,
    policies: Arc<Policies>,
    /// How this process shows itself; nothing when it belongs to no mesh.
    credentials: Option<Credentials>,
    pub(super) configs: Configs,
    balancer: OnceLock<Balancer>,
    pub(super) throttle: Throttle,
    places: Places,
    metrics: Arc<Metrics>,
    /// What calls are counted by.
    counts: metrics::Channel,
    /// The target as operators write it.
    name: String,
}

impl Remote {
    pub(crate) fn new(
        service: &'static str,
        target: Target,
        policies: Arc<Policies>,
        credentials: Option<Credentials>,
        configs: Configs,
        metrics: Arc<Metrics>,
    ) -> Self {
        let name = target.to_string();
        Self {
            counts: metrics.channel(&name, policies.count()),
            metrics,
            name,
            service,
            authority: target.authority(),
            target,
            policies,
            credentials,
            configs,
            balancer: OnceLock::new(),
            throttle: Throttle::new(),
            places: Places::default(),
        }
    }

    /// A channel to it, which connects with its first call.
    pub(crate) fn channel(self) -> Channel {
        let remote = Arc::new(self);
        BoxCloneSyncService::new(service_fn(move |request| Arc::clone(&remote).call(request)))
    }

    pub(super) fn balancer(&self) -> &Balancer {
        let start = || {
            let counts = self.metrics.subchannels(&self.name);
            let balancer = Balancer::start(&self.target, &self.authority, Rules::default(), counts);
            self.metrics.show(&self.name, balancer.fleet());
            balancer
        };
        self.balancer.get_or_init(start)
    }

    async fn call(self: Arc<Self>, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let since = Instant::now();
        let outbound = request.extensions_mut().remove::<Outbound>();
        let path = request.uri().path();
        let span = match &outbound {
            Some(outbound) => Recording::sent(path, &self.name, outbound.context.trace),
            None => Recording::sent_for(path, &self.name, request.headers()),
        };
        let (at, is_edge) = (span.at(), outbound.is_none());
        let answered = self.answer(request, outbound, span, since).await;
        answered.map_err(|mut status| {
            // Nobody has answered, so that nobody else can say which trace it is.
            if let Some(id) = at.header().filter(|_| is_edge) {
                status.metadata_mut().as_mut().entry(trace::HEADER).or_insert(id);
            }
            status
        })
    }

    async fn answer(
        &self,
        request: Request<Body>,
        outbound: Option<Outbound>,
        span: Recording,
        since: Instant,
    ) -> Result<Response<Body>, Status> {
        let call = self.prepare(request, outbound, span, since).await?;
        let answered = async {
            match &call.config.more {
                More::Hedge(hedge) if call.is_without_effect => self.hedged(&call, hedge).await,
                More::Hedge(_) => self.tried(&call, &Retry::default()).await,
                More::Retry(retry) => self.tried(&call, retry).await,
            }
        };
        let answered = async {
            match call.deadline {
                Some(deadline) => timeout_at(deadline, answered)
                    .await
                    .unwrap_or_else(|_| Err(Refusal::DeadlineExceeded.into())),
                None => answered.await,
            }
        };
        let answered = call.underway.span.follow(answered).await;
        match &answered {
            // An answer without a code in its headers ends with its body.
            Ok(response) => {
                if let Some((code, _)) = wire::outcome(response.headers()) {
                    call.underway.end(code);
                }
            }
            Err(status) => call.underway.end(status.code()),
        }
        answered
    }

    async fn prepare(
        &self,
        mut request: Request<Body>,
        outbound: Option<Outbound>,
        span: Recording,
        since: Instant,
    ) -> Result<Call, Status> {
        let place = self.places.take().ok_or(Refusal::Crowded(self.service))?;
        let method = self.policies.method(request.uri().path()).cloned();
        let config = self.configs.now().of(request.uri().path()).cloned().unwrap_or_default();
        let longest = method.as_ref().and_then(|method| method.deadline());
        let longest = longest.into_iter().chain(config.timeout).min();
        let serves = outbound.as_ref().and_then(|outbound| outbound.context.deadline);
        // The other process holds it too; this one holds it when the other cannot be reached.
        let deadline = deadline::of(request.headers(), longest, serves)?;
        let path = match &method {
            Some(method) => Arc::clone(&method.path),
            None => request.uri().path().into(),
        };
        let counts = self.counts.of(method.as_deref());
        let underway = Arc::new(Underway::new(path, span, counts, since, deadline, place));
        if let Some(credentials) = &self.credentials {
            credentials.write(outbound.as_ref(), &mut request)?;
        }
        address_to(&self.authority, &mut request);
        let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
        let (head, body) = request.into_parts();
        let sendable = match &method {
            Some(method) if method.takes == Takes::One => {
                Sendable::Again(body.collect().await?.to_bytes())
            }
            Some(_) | None => Sendable::Once(Some(counted(body, Arc::clone(&underway.streamed)))),
        };
        if let Some(longest) = config.longest_request
            && sendable.is_longer_than(longest)
        {
            return Err(Refusal::TooLarge(longest).into());
        }
        let is_safe = method.as_ref().is_some_and(|method| method.is_safe_to_repeat(has_key));
        Ok(Call {
            is_unary: method.as_ref().is_some_and(|method| method.unary),
            is_safe: is_safe && sendable.is_kept(),
            is_without_effect: method.is_some_and(|method| method.without_effect),
            head,
            body: Mutex::new(sendable),
            deadline,
            config,
            underway,
            tried: Mutex::default(),
        })
    }
}
