//! A service of other processes: every call to it, over as many endpoints and tries as it takes.

use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

use http::uri::Authority;
use http::{Request, Response};
use http_body_util::BodyExt;
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use super::attempt::{Call, Sendable};
use super::balancer::{Balancer, Dialling};
use super::config::{Configs, More, Retry};
use super::connection::Security;
use super::linked::linked;
use super::outlier::Rules;
use super::place::Places;
use super::target::Target;
use super::throttle::Throttle;
use super::underway::Underway;
use super::wire;
use super::{Channel, Credentials, Outbound, address_to};
use crate::access::KEY;
use crate::channelz::{Channel as Listed, Registry};
use crate::deadline;
use crate::failure::Refusal;
use crate::metrics::{self, Metrics};
use crate::policy::{Policies, Takes};
use crate::tls::Identities;
use crate::trace::{self, Recording};

/// Where a service is, and how this process shows itself to it.
pub(crate) struct Way {
    pub(crate) service: &'static str,
    pub(crate) target: Target,
    /// What calls say of who makes them; nothing when this process belongs to no mesh.
    pub(crate) credentials: Option<Credentials>,
    /// What connections show of who makes them; without, they are not encrypted.
    pub(crate) identities: Option<Identities>,
    /// Where operators see channels listed.
    pub(crate) registry: Option<Registry>,
}

/// A service of other processes.
pub(crate) struct Remote {
    pub(super) service: &'static str,
    pub(super) authority: Authority,
    target: Target,
    credentials: Option<Credentials>,
    /// One for each service that this process can be, since each has connections of its own.
    lines: Vec<Line>,
    policies: Arc<Policies>,
    pub(super) configs: Configs,
    pub(super) throttle: Throttle,
    places: Places,
    listed: Option<Arc<Listed>>,
    metrics: Arc<Metrics>,
    /// What calls are counted by.
    counts: metrics::Channel,
    /// The target as operators write it.
    name: String,
}

/// The connections of one service of this process.
struct Line {
    from: &'static str,
    security: Security,
    balancer: OnceLock<Balancer>,
}

impl Remote {
    pub(crate) fn new(
        way: Way,
        policies: Arc<Policies>,
        configs: Configs,
        metrics: Arc<Metrics>,
    ) -> Self {
        let Way { service, target, credentials, identities, registry } = way;
        let name = target.to_string();
        let listed = registry.map(|registry| Arc::new(registry.channel(name.clone())));
        Self {
            counts: metrics.channel(&name, policies.count()),
            metrics,
            name,
            service,
            authority: target.authority(),
            lines: lines(service, &target, identities),
            target,
            credentials,
            policies,
            configs,
            throttle: Throttle::default(),
            places: Places::new(listed.clone()),
            listed,
        }
    }

    /// A channel to it, which connects with its first call.
    pub(crate) fn channel(self) -> Channel {
        let remote = Arc::new(self);
        BoxCloneSyncService::new(service_fn(move |request| Arc::clone(&remote).call(request)))
    }

    /// Who chooses among the endpoints, over the connections of the service that makes a call.
    pub(super) fn balancer(&self, call: &Call) -> Option<&Balancer> {
        let own = |line: &&Line| call.from.as_deref().is_none_or(|from| from == line.from);
        let line = self.lines.iter().find(own).or(self.lines.first())?;
        let start = || {
            let dialling = Dialling {
                authority: self.authority.clone(),
                security: line.security.clone(),
                listed: self.listed.clone(),
                counts: self.metrics.subchannels(&self.name),
            };
            let balancer = Balancer::start(&self.target, dialling, Rules::default());
            self.metrics.show(&self.name, balancer.fleet());
            balancer
        };
        Some(line.balancer.get_or_init(start))
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
        // Pinned, so that what is put around a call does not move it.
        let answered = pin!(async {
            match &call.config.more {
                More::Hedge(hedge) if call.is_without_effect => self.hedged(&call, hedge).await,
                More::Hedge(_) => self.tried(&call, &Retry::default()).await,
                More::Retry(retry) => self.tried(&call, retry).await,
            }
        });
        let answered = pin!(async {
            match call.deadline {
                Some(deadline) => timeout_at(deadline, answered)
                    .await
                    .unwrap_or_else(|_| Err(Refusal::DeadlineExceeded.into())),
                None => answered.await,
            }
        });
        let answered = call.underway.span.follow(answered).await;
        match &answered {
            // An answer without a code in its headers ends with its body.
            Ok(response) => {
                if let Some((code, _)) = wire::outcome(response.headers()) {
                    call.underway.end(code, Instant::now());
                }
            }
            Err(status) => call.underway.end(status.code(), Instant::now()),
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
        let mut place = self.places.take().ok_or(Refusal::Crowded(self.service))?;
        let method = self.policies.method(request.uri().path()).cloned();
        let config = self.configs.now().of(request.uri().path());
        let longest = method.as_ref().and_then(|method| method.deadline());
        let longest = longest.into_iter().chain(config.timeout).min();
        let serves = outbound.as_ref().and_then(|outbound| outbound.context.deadline);
        // The other process holds it too; this one holds it when the other cannot be reached.
        let deadline = deadline::of(request.headers(), longest, serves)?;
        let path = match &method {
            Some(method) => Arc::clone(&method.path),
            None => request.uri().path().into(),
        };
        let is_stream = method.as_ref().is_none_or(|method| method.takes == Takes::Stream);
        let streamed = is_stream.then(Arc::<AtomicU64>::default);
        if let Some(bytes) = &streamed {
            let (body, stream) = linked(std::mem::take(request.body_mut()), Arc::clone(bytes));
            *request.body_mut() = body;
            place = place.sending(stream);
        }
        let counts = self.counts.of(method.as_deref());
        let underway =
            Arc::new(Underway::new(path, span, counts, since, deadline, place, streamed));
        let from = match &self.credentials {
            Some(credentials) => Some(credentials.write(outbound.as_ref(), &mut request)?),
            None => None,
        };
        let is_plain = self.lines.first().is_none_or(|line| line.security.is_plain());
        address_to(&self.authority, is_plain, &mut request);
        let has_key = request.headers().contains_key(KEY);
        let (head, body) = request.into_parts();
        let sendable = if is_stream {
            Sendable::Once(Some(body))
        } else {
            Sendable::Again(body.collect().await?.to_bytes())
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
            from,
            head,
            body: Mutex::new(sendable),
            deadline,
            config,
            underway,
            tried: Mutex::default(),
        })
    }
}

/// One line for each identity of this process; a single one where connections show none.
fn lines(service: &'static str, target: &Target, identities: Option<Identities>) -> Vec<Line> {
    let line = |from, security| Line { from, security, balancer: OnceLock::new() };
    let secure = |identities: &Identities, from: &'static str| {
        line(from, Security::Mesh { identities: identities.clone(), from, to: service })
    };
    match (identities, target) {
        (Some(own), _) => own.services().iter().map(|from| secure(&own, from)).collect(),
        (None, Target::Dns { host, public: true, .. }) => {
            // A name that no certificate can have is refused by whoever connects.
            let name = ServerName::try_from(host.clone()).ok();
            name.map(|name| line("", Security::Public { name })).into_iter().collect()
        }
        (None, _) => vec![line("", Security::Plain)],
    }
}
