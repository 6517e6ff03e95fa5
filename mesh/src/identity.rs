//! Who calls, read from what a call carries; nothing is believed for where it came from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::caller::{Caller, DEFAULT_PROJECT, Principal};
use crate::callers::{Callers, Guard};
use crate::clock::Clock;
use crate::failure::Refusal;
use crate::metrics::CacheMetrics;
use crate::service_token::{self, ServiceKey};
use crate::signing;
use crate::tls::PeerService;
use crate::trust::Trust;

/// Names the project of a caller without a credential: `tw_pub_` and the project's id. Not a secret.
pub const PUBLISHABLE_KEY: &str = "tradewind-key";
const PUBLISHABLE_PREFIX: &str = "tw_pub_";
/// How many checked tokens are remembered.
const REMEMBERED: u64 = 100_000;

/// What a caller without a credential sends as [`PUBLISHABLE_KEY`] to be in a project.
#[must_use]
pub fn publishable_key(project: &str) -> String {
    format!("{PUBLISHABLE_PREFIX}{project}")
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user or guest.
    pub sub: String,
    /// The project that it is good for.
    pub project: String,
    /// Whether it is a user's or a guest's.
    pub kind: TokenKind,
    /// The names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The session that it belongs to.
    pub sid: String,
    /// Its own id.
    pub jti: String,
    /// When it was given, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

/// Whose an access token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// An account's.
    User,
    /// A customer's without an account.
    Guest,
}

/// Which permissions each role gives.
pub type Roles = BTreeMap<&'static str, BTreeSet<&'static str>>;

/// Checks access tokens that come in a message.
#[derive(Debug, Clone)]
pub struct Tokens {
    identity: Arc<Identity>,
}

impl Tokens {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self { identity }
    }

    /// Whom a token shows, when it is good.
    pub async fn check(&self, token: &str) -> Result<Caller, Refusal> {
        self.identity.check(token).await
    }
}

/// Tells who calls.
#[derive(Debug)]
pub(crate) struct Identity {
    trust: Arc<Trust>,
    roles: Roles,
    clock: Clock,
    service_key: Option<Arc<ServiceKey>>,
    guard: Guard,
    checked: Cache<[u8; 32], Checked>,
    metrics: CacheMetrics,
}

#[derive(Debug, Clone)]
struct Checked {
    caller: Caller,
    session: Arc<str>,
    expires: i64,
}

/// What is known of a call's origin.
#[derive(Debug)]
pub(crate) struct Identified {
    pub(crate) caller: Caller,
    /// The bearer token that was checked, to be sent on.
    pub(crate) credential: Option<Arc<str>>,
    /// Where the call came from, when a process of the mesh that passed it on says so.
    pub(crate) address: Option<Arc<str>>,
    /// A service makes it, so that it was counted against a budget at the edge already.
    pub(crate) from_mesh: bool,
}

impl Identity {
    pub(crate) fn new(
        trust: Arc<Trust>,
        roles: Roles,
        clock: Clock,
        service_key: Option<Arc<ServiceKey>>,
        callers: Callers,
        metrics: CacheMetrics,
    ) -> Self {
        let evictions = metrics.evictions.clone();
        let checked = Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_live(Duration::from_secs(900))
            .eviction_listener(move |_, _, cause| {
                if cause.was_evicted() {
                    evictions.inc();
                }
            })
            .build();
        let guard = Guard::new(callers);
        Self { trust, roles, clock, service_key, guard, checked, metrics }
    }

    /// Tells who calls from the headers of a request that came over the network.
    pub(crate) async fn identify(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerService>,
        method: &str,
    ) -> Result<Identified, Refusal> {
        let vouching = match peer {
            // Its certificate says who it is.
            Some(PeerService(name)) => Some(name.to_string()),
            None => self.vouching(headers, method)?,
        };
        if let Some(name) = &vouching {
            self.guard.check(name, service_token::audience(method))?;
        }
        let of_mesh = |name| vouching.as_ref().and_then(|_| text_of(headers, name));
        let made_by_service = of_mesh(service_token::PROJECT);
        let identified = |caller, credential| Identified {
            caller,
            credential,
            address: of_mesh(service_token::CLIENT_ADDRESS).map(Arc::from),
            from_mesh: made_by_service.is_some(),
        };
        // A service is the caller only where it says so: what it passes on keeps its own caller.
        if let Some(name) = of_mesh(service_token::ACTING) {
            if vouching.as_deref() != Some(name) {
                return Err(Refusal::InvalidToken("it is not the acting service's"));
            }
            let subject = of_mesh(service_token::ON_BEHALF).map(Arc::from);
            let project = made_by_service.unwrap_or(DEFAULT_PROJECT);
            let caller = Caller::service(name, project, subject);
            return Ok(identified(caller, None));
        }
        if let Some(token) = bearer(headers)? {
            let caller = self.check(token).await?;
            return Ok(identified(caller, Some(token.into())));
        }
        let caller = Caller::nobody(made_by_service.unwrap_or_else(|| project(headers)));
        Ok(identified(caller, None))
    }

    /// Names the contracts that are answered here, each with its service.
    pub(crate) fn answers(&self, nouns: HashMap<&'static str, &'static str>) {
        self.guard.answers(nouns);
    }

    /// Whether whoever calls from this very process may.
    pub(crate) fn check_near(&self, caller: &Caller, contract: &str) -> Result<(), Refusal> {
        match caller.principal() {
            Principal::Service { name, .. } => self.guard.check(name, contract),
            Principal::Nobody | Principal::Guest { .. } | Principal::User { .. } => Ok(()),
        }
    }

    /// The service that vouches for the mesh's own headers of a call.
    fn vouching(&self, headers: &HeaderMap, method: &str) -> Result<Option<String>, Refusal> {
        let Some(token) = headers.get(service_token::HEADER) else { return Ok(None) };
        let key =
            self.service_key.as_ref().ok_or(Refusal::InvalidToken("no mesh key is set here"))?;
        let text = token.to_str().map_err(|_| Refusal::InvalidToken("it is not text"))?;
        key.check(text, service_token::audience(method), self.now()).map(Some)
    }

    /// Whom an access token shows.
    pub(crate) async fn check(&self, token: &str) -> Result<Caller, Refusal> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let remembered = self.checked.get(&digest);
        self.metrics.looked(remembered.is_some());
        let checked = if let Some(checked) = remembered {
            checked
        } else {
            let checked = self.verify(token).await?;
            self.checked.insert(digest, checked.clone());
            checked
        };
        if checked.expires <= self.now() {
            return Err(Refusal::InvalidToken("it has expired"));
        }
        if self.trust.is_revoked(&checked.session) {
            return Err(Refusal::InvalidToken("its session has ended"));
        }
        Ok(checked.caller)
    }

    async fn verify(&self, token: &str) -> Result<Checked, Refusal> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| Refusal::InvalidToken("it is not a JSON Web Token"))?;
        let kid = header.kid.ok_or(Refusal::InvalidToken("it names no key"))?;
        let key =
            self.trust.key(&kid).await?.ok_or(Refusal::InvalidToken("its key is not known"))?;
        let claims: Claims = signing::claims(token, &key)
            .ok_or(Refusal::InvalidToken("its signature or its claims are not right"))?;
        let (subject, session): (Arc<str>, Arc<str>) = (claims.sub.into(), claims.sid.into());
        let principal = match claims.kind {
            TokenKind::User => Principal::User { id: subject, session: Arc::clone(&session) },
            TokenKind::Guest => Principal::Guest { id: subject },
        };
        let permissions: BTreeSet<_> = claims
            .roles
            .iter()
            .filter_map(|role| self.roles.get(role.as_str()))
            .flatten()
            .copied()
            .collect();
        let caller = Caller::new(principal, claims.project, Arc::new(permissions));
        Ok(Checked { caller, session, expires: claims.exp })
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        self.clock.now_micros() / 1_000_000
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::InvalidToken("there are several"));
    }
    let text = value.to_str().map_err(|_| Refusal::InvalidToken("it is not text"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Refusal::InvalidToken("authorization is not `Bearer` and a token")),
    }
}

/// The project that a caller without a credential names.
fn project(headers: &HeaderMap) -> &str {
    text_of(headers, HeaderName::from_static(PUBLISHABLE_KEY))
        .and_then(|key| key.strip_prefix(PUBLISHABLE_PREFIX))
        .filter(|project| !project.is_empty() && project.len() <= 64)
        .unwrap_or(DEFAULT_PROJECT)
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
