//! Kept answers: for RPCs whose contract gives a time, until a resource that they show has changed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::mesh::v1::{Audience, Cache as Rules};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use moka::sync::Cache;
use tonic::Status;
use tonic::body::Body;

use super::LONGEST_MESSAGE;
use super::body::whole;
use crate::caller::Caller;
use crate::changes::Changes;
use crate::policy::Method;

/// How many bytes of answers are kept.
const KEPT_BYTES: u64 = 64 << 20;
/// The largest request whose answer is kept.
const LONGEST_REQUEST: usize = 64 << 10;

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
    until: tokio::time::Instant,
}

/// The kept answers of one process.
#[derive(Debug)]
pub(crate) struct Answers {
    kept: Cache<Key, Kept>,
    changes: Changes,
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
}

impl Answers {
    pub(crate) fn new(changes: Changes) -> Self {
        let kept = Cache::builder()
            .max_capacity(KEPT_BYTES)
            .weigher(|key: &Key, kept: &Kept| {
                u32::try_from(key.request.len() + kept.answer.len() + 256).unwrap_or(u32::MAX)
            })
            .build();
        Self { kept, changes }
    }

    /// Looks for an answer to the same question.
    pub(crate) async fn look(
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
        let changes = self.count(rules, caller.project());
        if let Some(kept) = self.kept.get(&key)
            && kept.changes == changes
            && kept.until > tokio::time::Instant::now()
        {
            return Ok(Looked::Hit(answer(kept.headers, kept.answer)));
        }
        let ttl = Duration::from_millis(u64::from(rules.ttl_ms));
        let body = Body::new(http_body_util::Full::new(bytes));
        let place = Place { key, changes, ttl };
        Ok(Looked::Miss(Box::new(Request::from_parts(parts, body)), Some(place)))
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
                changes: place.changes,
                until: tokio::time::Instant::now() + place.ttl,
            };
            self.kept.insert(place.key, kept);
        }
        let body = http_body_util::Full::new(bytes).with_trailers(async move { trailers.map(Ok) });
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    fn count(&self, rules: &Rules, project: &str) -> Arc<[u64]> {
        rules.of.iter().map(|resource| self.changes.count(resource, project)).collect()
    }
}

fn answer(headers: HeaderMap, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(super::body::answered(bytes));
    *response.headers_mut() = headers;
    response
}
