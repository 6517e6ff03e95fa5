//! The keys that access tokens are checked with, and the sessions that have ended.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::Status;

use crate::failure::Refusal;

/// An unknown key is asked for at most this often, however many tokens name one.
const MIN_REFRESH: Duration = Duration::from_secs(1);
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
    refreshed: Mutex<Option<Instant>>,
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

    /// Asks for the keys and ended sessions.
    pub async fn refresh(&self) -> Result<(), Status> {
        let Some(source) = self.source.get() else { return Ok(()) };
        let snapshot = source.fetch().await?;
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

    /// A key by its id; an unknown id is asked for, but not by every token that names it.
    pub(crate) async fn key(&self, kid: &str) -> Result<Option<Arc<DecodingKey>>, Refusal> {
        if let Some(key) = self.keys.load().get(kid) {
            return Ok(Some(Arc::clone(key)));
        }
        let mut refreshed = self.refreshed.lock().await;
        if let Some(key) = self.keys.load().get(kid) {
            return Ok(Some(Arc::clone(key)));
        }
        if refreshed.is_none_or(|at| at.elapsed() >= MIN_REFRESH) {
            self.refresh().await.map_err(|_| Refusal::NoKeys)?;
            *refreshed = Some(Instant::now());
        }
        Ok(self.keys.load().get(kid).map(Arc::clone))
    }
}
