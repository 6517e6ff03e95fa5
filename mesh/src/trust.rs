//! The keys that access tokens are checked with, and the sessions that have ended.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tonic::Status;

use crate::failure::Refusal;

/// An unknown key is asked for at most this often, however many tokens name one.
const MIN_REFRESH: Duration = Duration::from_secs(1);
/// Whoever does not answer by then is asked again later; calls wait for it meanwhile.
const LONGEST_FETCH: Duration = Duration::from_secs(5);
/// After this long, whatever is told holds what this process ended.
const TOLD_BY_THEN: Duration = Duration::from_secs(60);

/// What the service that signs tokens says of them.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Key ids, and Ed25519 public keys in base64url (the `x` of their JWK).
    pub keys: Vec<(String, String)>,
    /// Sessions that ended while tokens of theirs may still be good.
    pub ended_sessions: Vec<String>,
}

/// Where keys and ended sessions are asked for.
#[async_trait]
pub trait TrustSource: Send + Sync + 'static {
    /// What is good now.
    async fn fetch(&self) -> Result<Snapshot, Status>;
}

/// Sessions that have ended.
#[derive(Debug, Default)]
struct Ended {
    /// As the signing service said last.
    told: HashSet<String>,
    /// Ended by this process since: what is being told may be older than that.
    here: HashMap<String, Instant>,
}

/// The keys and ended sessions that a process knows of.
#[derive(Default)]
pub struct Trust {
    keys: ArcSwap<HashMap<String, Arc<DecodingKey>>>,
    ended: RwLock<Ended>,
    source: OnceLock<Arc<dyn TrustSource>>,
    asked: Mutex<Option<Asked>>,
}

/// When the signing service was asked last.
struct Asked {
    at: Instant,
    /// Whether it answered.
    told: bool,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// Names where to ask; the first one named stays.
    pub fn ask(&self, source: Arc<dyn TrustSource>) {
        let _ = self.source.set(source);
    }

    /// Ends a session at once in this process; the others learn of it when they refresh.
    pub fn end_session(&self, session: &str) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.here.insert(session.to_owned(), Instant::now());
    }

    /// Asks for the keys and ended sessions. Asked one after the other: what was said first would
    /// otherwise be learned last.
    pub async fn refresh(&self) -> Result<(), Status> {
        let mut asked = self.asked.lock().await;
        self.fetch(&mut asked).await
    }

    async fn fetch(&self, asked: &mut Option<Asked>) -> Result<(), Status> {
        let Some(source) = self.source.get() else { return Ok(()) };
        let fetched = timeout(LONGEST_FETCH, source.fetch())
            .await
            .unwrap_or_else(|_| Err(Refusal::NoKeys.into()));
        *asked = Some(Asked { at: Instant::now(), told: fetched.is_ok() });
        let snapshot = fetched?;
        let keys = snapshot
            .keys
            .into_iter()
            .filter_map(|(kid, x)| Some((kid, Arc::new(DecodingKey::from_ed_components(&x).ok()?))))
            .collect();
        self.keys.store(Arc::new(keys));
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.told = snapshot.ended_sessions.into_iter().collect();
        ended.here.retain(|_, at| at.elapsed() < TOLD_BY_THEN);
        Ok(())
    }

    pub(crate) fn is_revoked(&self, session: &str) -> bool {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        ended.told.contains(session) || ended.here.contains_key(session)
    }

    /// A key by its id; an unknown id is asked for, but not by every token that names one: whoever is
    /// asked must not fall under a flood of them, least of all when it fails already.
    pub(crate) async fn key(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>, Refusal> {
        let known = || self.keys.load().get(kid).map(Arc::clone);
        if let Some(key) = known() {
            return Ok(Some(key));
        }
        let mut asked = self.asked.lock().await;
        if let Some(key) = known() {
            return Ok(Some(key));
        }
        let told = match &*asked {
            Some(asked) if asked.at.elapsed() < MIN_REFRESH => asked.told,
            Some(_) | None => self.fetch(&mut asked).await.is_ok(),
        };
        if told { Ok(known()) } else { Err(Refusal::NoKeys) }
    }
}
