//! A service of other processes: every call to it, over as many endpoints and tries as it takes.

use std::sync::{Arc, Mutex, OnceLock};

use http::uri::Authority;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::time::timeout_at;
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
use super::{Channel, Credentials, Outbound, address_to};
use crate::access::IDEMPOTENCY_KEY;
use crate::deadline;
use crate::failure::Refusal;
use crate::policy::{Policies, Takes};

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
}

impl Remote {
    pub(crate) fn new(
        service: &'static str,
        target: Target,
        policies: Arc<Policies>,
        credentials: Option<Credentials>,
        configs: Configs,
    ) -> Self {
        Self {
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
        let start = || Balancer::start(&self.target, &self.authority, Rules::default());
        self.balancer.get_or_init(start)
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
        let place = self.places.take().ok_or(Refusal::Crowded(self.service))?;
        let outbound = request.extensions_mut().remove::<Outbound>();
        let method = self.policies.method(request.uri().path()).cloned();
        let config = self.configs.now().of(request.uri().path()).cloned().unwrap_or_default();
        let longest = method.as_ref().and_then(|method| method.deadline());
        let longest = longest.into_iter().chain(config.timeout).min();
        let serves = outbound.as_ref().and_then(|outbound| outbound.context.deadline);
        // The other process holds it too; this one holds it when the other cannot be reached.
        let deadline = deadline::of(request.headers(), longest, serves)?;
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
            Some(_) | None => Sendable::Once(Some(body)),
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
            place: Arc::new(place),
            tried: Mutex::default(),
        })
    }
}
