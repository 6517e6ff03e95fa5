//! Kept answers: for RPCs whose contract gives a time, until a resource that they show has changed.
//!
//! Those of this process stand before those that all replicas share, where there are any. Of equal questions at
//! once one is answered by the handler, and the others by its answer.

mod flights;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use contract::mesh::v1::{Audience, Cache as Rules};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use moka::sync::Cache;
use prometheus_client::metrics::histogram::Histogram;
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use self::flights::{Flight, Flights};
use super::LONGEST_MESSAGE;
use super::body::whole;
use crate::caller::Caller;
use crate::changes::Changes;
use crate::metrics::{CacheMetrics, Metrics};
use crate::policy::Method;
use crate::replicas::{Found, SharedAnswer, SharedAnswers, shown};

/// How many bytes of answers are kept.
const KEPT_BYTES: u64 = 64 << 20;
/// The largest request whose answer is kept.
const LONGEST_REQUEST: usize = 64 << 10;
/// The largest answer that is kept for all replicas.
const LONGEST_SHARED: usize = 256 << 10;

/// What tells one answer from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    path: Arc<str>,
    project: Box<str>,
    /// Whose it is; nobody's when everyone in the project is answered alike.
    owner: Option<Owner>,
    request: Bytes,
}

/// Who an answer was made for, and what they might do then.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Owner {
    actor: Box<str>,
    subject: Option<Box<str>>,
    permissions: Arc<BTreeSet<&'static str>>,
}

#[derive(Debug, Clone)]
struct Kept {
    answer: Bytes,
    headers: HeaderMap,
    /// What the changes counted when the handler began.
    changes: Arc<[u64]>,
    until: Instant,
}

/// An answer as replicas keep it for each other.
#[derive(Clone, PartialEq, Message)]
struct Written {
    #[prost(bytes = "bytes", tag = "1")]
    answer: Bytes,
    #[prost(string, tag = "2")]
    content_type: String,
}

/// The kept answers of one process.
pub(crate) struct Answers {
    metrics: CacheMetrics,
    lookups: Histogram,
    kept: Cache<Key, Kept>,
    changes: Changes,
    flights: Flights<Key>,
    shared: Option<Arc<dyn SharedAnswers>>,
}

/// What became of a request at the cache.
pub(crate) enum Looked {
    /// There is an answer.
    Hit(Response<Body>),
    /// There is none; answer this request and keep it in the place, where it has one.
    Miss(Box<Request<Body>>, Option<Place>),
}

/// Where an answer belongs that is being made.
pub(crate) struct Place {
    key: Key,
    changes: Arc<[u64]>,
    ttl: Duration,
    /// What the resources are by the count of all replicas.
    version: Option<String>,
    /// Whoever asks the same waits for it.
    _flight: Option<Flight<Key>>,
}

impl Answers {
    pub(crate) fn new(
        changes: Changes,
        shared: Option<Arc<dyn SharedAnswers>>,
        metrics: &Metrics,
    ) -> Self {
        let lookups = metrics.cache_lookups("responses");
        let metrics = metrics.cache("responses");
        let evictions = metrics.evictions.clone();
        let kept = Cache::builder()
            .max_capacity(KEPT_BYTES)
            .weigher(|key: &Key, kept: &Kept| {
                u32::try_from(key.request.len() + kept.answer.len() + 256).unwrap_or(u32::MAX)
            })
            .eviction_listener(move |_, _, cause| {
                if cause.was_evicted() {
                    evictions.inc();
                }
            })
            .build();
        Self { metrics, lookups, kept, changes, flights: Flights::new(), shared }
    }

    /// Looks for an answer to the same question, and counts whether there was one.
    pub(crate) async fn look(
        &self,
        method: &Method,
        rules: &Rules,
        caller: &Caller,
        request: Request<Body>,
    ) -> Result<Looked, Status> {
        let since = Instant::now();
        let looked = self.find(method, rules, caller, request).await?;
        self.lookups.observe(since.elapsed().as_secs_f64());
        self.metrics.looked(matches!(looked, Looked::Hit(_)));
        Ok(looked)
    }

    async fn find(
        &self,
        method: &Method,
        rules: &Rules,
        caller: &Caller,
        request: Request<Body>,
    ) -> Result<Looked, Status> {
        let (parts, body) = request.into_parts();
        // A message behind its flag and its length.
        let bytes = whole(body, LONGEST_MESSAGE + 5).await?;
        if bytes.len() > LONGEST_REQUEST {
            let body = Body::new(http_body_util::Full::new(bytes));
            return Ok(Looked::Miss(Box::new(Request::from_parts(parts, body)), None));
        }
        let owner = match rules.audience() {
            // Whoever holds a permission may be shown more than the public is.
            Audience::Public if !caller.is_privileged() => None,
            Audience::Public | Audience::Owner | Audience::Unspecified => Some(Owner {
                actor: caller.actor().into(),
                subject: caller.subject().map(Box::from),
                permissions: Arc::clone(caller.permissions()),
            }),
        };
        let key = Key {
            path: Arc::clone(&method.path),
            project: caller.project().into(),
            owner,
            request: bytes.clone(),
        };
        let flight = match self.local(&key, rules).await {
            Ok(kept) => return Ok(Looked::Hit(answer(kept.headers, kept.answer))),
            Err(flight) => flight,
        };
        let changes = self.count(rules, caller.project());
        let found = self.look_elsewhere(&key, rules).await;
        if let Some(shared) = found.as_ref().and_then(|found| found.answer.as_ref())
            && let Some(kept) = read(shared, &changes)
        {
            self.kept.insert(key, kept.clone());
            return Ok(Looked::Hit(answer(kept.headers, kept.answer)));
        }
        let place = Place {
            key,
            changes,
            ttl: Duration::from_millis(u64::from(rules.ttl_ms)),
            version: found.map(|found| found.version),
            _flight: flight,
        };
        let body = Body::new(http_body_util::Full::new(bytes));
        Ok(Looked::Miss(Box::new(Request::from_parts(parts, body)), Some(place)))
    }

    /// What this process has kept, perhaps after whoever makes it just now; else the right to make it. Whoever has
    /// waited in vain makes it beside others: what fails must not stand in a row.
    async fn local(&self, key: &Key, rules: &Rules) -> Result<Kept, Option<Flight<Key>>> {
        let good = || {
            let changes = self.count(rules, &key.project);
            let kept = self.kept.get(key);
            kept.filter(|kept| kept.changes == changes && kept.until > Instant::now())
        };
        if let Some(kept) = good() {
            return Ok(kept);
        }
        match self.flights.begin(key) {
            Ok(flight) => Err(Some(flight)),
            Err(mut ends) => {
                // It ends by going.
                let _ = ends.changed().await;
                good().ok_or(None)
            }
        }
    }

    async fn look_elsewhere(&self, key: &Key, rules: &Rules) -> Option<Found> {
        let shared = self.shared.as_ref()?;
        let shows: Vec<_> = rules.of.iter().map(|resource| shown(resource, &key.project)).collect();
        shared.look(&key.question(), &shows).await
    }

    /// Keeps an answer when it is a success, and gives it back.
    pub(crate) async fn keep(
        &self,
        place: Place,
        response: Response<Body>,
    ) -> Result<Response<Body>, Status> {
        let (parts, body) = response.into_parts();
        if parts.headers.contains_key("grpc-status") {
            return Ok(Response::from_parts(parts, body));
        }
        let collected = body.collect().await?;
        let succeeded = collected
            .trailers()
            .is_some_and(|trailers| trailers.get("grpc-status").is_some_and(|code| code == "0"));
        let trailers = collected.trailers().cloned();
        let bytes = collected.to_bytes();
        if succeeded && bytes.len() <= LONGEST_MESSAGE {
            let kept = Kept {
                answer: bytes.clone(),
                headers: parts.headers.clone(),
                changes: Arc::clone(&place.changes),
                until: Instant::now() + place.ttl,
            };
            self.share(&place, &kept);
            self.kept.insert(place.key.clone(), kept);
        }
        let body = http_body_util::Full::new(bytes).with_trailers(async move { trailers.map(Ok) });
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// Keeps an answer for all replicas; nobody waits for that.
    fn share(&self, place: &Place, kept: &Kept) {
        let (Some(shared), Some(version)) = (&self.shared, &place.version) else { return };
        if kept.answer.len() > LONGEST_SHARED {
            return;
        }
        let (shared, version, lasts) = (Arc::clone(shared), version.clone(), place.ttl);
        let (question, written) = (place.key.question(), written(kept));
        tokio::spawn(async move { shared.keep(&question, &version, written, lasts).await });
    }

    fn count(&self, rules: &Rules, project: &str) -> Arc<[u64]> {
        rules.of.iter().map(|resource| self.changes.count(resource, project)).collect()
    }
}

impl Key {
    /// The same for every replica, and different for every other key.
    fn question(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        };
        add(self.path.as_bytes());
        add(self.project.as_bytes());
        add(&self.request);
        if let Some(owner) = &self.owner {
            add(owner.actor.as_bytes());
            add(owner.subject.as_deref().unwrap_or_default().as_bytes());
            for permission in owner.permissions.iter() {
                add(permission.as_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }
}

fn written(kept: &Kept) -> Bytes {
    let content_type = kept.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    Written { answer: kept.answer.clone(), content_type }.encode_to_vec().into()
}

/// An answer of another replica, as one of this process.
fn read(shared: &SharedAnswer, changes: &Arc<[u64]>) -> Option<Kept> {
    let Written { answer, content_type } = Written::decode(shared.answer.clone()).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type.parse().ok()?);
    let until = Instant::now() + shared.lasts;
    Some(Kept { answer, headers, changes: Arc::clone(changes), until })
}

fn answer(headers: HeaderMap, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(super::body::answered(bytes));
    *response.headers_mut() = headers;
    response
}
