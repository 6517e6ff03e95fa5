//! A service of other processes: every call to it, over as many endpoints and tries as it takes.

use std::sync::{Arc, Mutex, OnceLock};

use http::uri::Authority;
use http::{Request, Response};
use http_body_util::BodyExt;
use rustls::pki_types::ServerName;
use tokio::time::timeout_at;
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
use super::{Channel, Credentials, Outbound, address_to};
use crate::access::IDEMPOTENCY_KEY;
use crate::channelz::{Channel as Listed, Registry};
use crate::deadline;
use crate::failure::Refusal;
use crate::policy::{Policies, Takes};
use crate::tls::Identities;

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
}

/// The connections of one service of this process.
struct Line {
    from: &'static str,
    security: Security,
    balancer: OnceLock<Balancer>,
}

impl Remote {
    pub(crate) fn new(way: Way, policies: Arc<Policies>, configs: Configs) -> Self {
        let Way { service, target, credentials, identities, registry } = way;
        let listed = registry.map(|registry| Arc::new(registry.channel(target.to_string())));
        Self {
            service,
            authority: target.authority(),
            lines: lines(service, &target, identities),
            target,
            credentials,
            policies,
            configs,
            throttle: Throttle::new(),
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
            };
            Balancer::start(&self.target, dialling, Rules::default())
        };
        Some(line.balancer.get_or_init(start))
    }

    async fn call(self: Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Status> {
        let call = self.prepare(request).await?;
        let answered = async {
            match &call.config.more {
                More::Hedge(hedge) if call.is_without_effect => self.hedged(&call, hedge).await,
                More::Hedge(_) => self.tried(&call, &Retry::default()).await,
                More::Retry(retry) => self.tried(&call, retry).await,
            }
        };
        match call.deadline {
            Some(deadline) => {
                timeout_at(deadline, answered).await.map_err(|_| Refusal::DeadlineExceeded)?
            }
            None => answered.await,
        }
    }

    async fn prepare(&self, mut request: Request<Body>) -> Result<Call, Status> {
        let mut place = self.places.take().ok_or(Refusal::Crowded(self.service))?;
        let outbound = request.extensions_mut().remove::<Outbound>();
        let method = self.policies.method(request.uri().path()).cloned();
        let config = self.configs.now().of(request.uri().path()).cloned().unwrap_or_default();
        let longest = method.as_ref().and_then(|method| method.deadline());
        let longest = longest.into_iter().chain(config.timeout).min();
        let serves = outbound.as_ref().and_then(|outbound| outbound.context.deadline);
        // The other process holds it too; this one holds it when the other cannot be reached.
        let deadline = deadline::of(request.headers(), longest, serves)?;
        let from = match &self.credentials {
            Some(credentials) => Some(credentials.write(outbound.as_ref(), &mut request)?),
            None => None,
        };
        let is_plain = self.lines.first().is_none_or(|line| line.security.is_plain());
        address_to(&self.authority, is_plain, &mut request);
        let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
        let (head, body) = request.into_parts();
        let sendable = match &method {
            Some(method) if method.takes == Takes::One => {
                Sendable::Again(body.collect().await?.to_bytes())
            }
            Some(_) | None => {
                let (body, stream) = linked(body);
                place = place.sending(stream);
                Sendable::Once(Some(body))
            }
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
            place: Arc::new(place),
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
