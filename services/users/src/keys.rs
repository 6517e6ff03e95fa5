//! The keys that sign access tokens: made at first start, rotated on schedule, by any replica.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mesh::caller::DEFAULT_PROJECT;
use mesh::identity::Claims;
use mesh::signing::SigningKey;
use mesh::{Caller, Context};
use store::Store;
use tokio::sync::Mutex;
use tradewind::users::v1::Key;

use crate::NAME;
use crate::config::Lifetimes;
use crate::error::Error;
use crate::session::micros;
use crate::store::{self as sql, KeptKey};

/// How far the clocks of processes may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5 * 60);
/// The next key is published when this part of its predecessor's time is left, so that every
/// process knows it before it signs.
const PUBLISHED_EARLY: i64 = 30;

/// Signs, and says which keys are good.
pub(crate) struct Keys {
    store: Store,
    lifetimes: Lifetimes,
    signer: RwLock<Option<Arc<Signer>>>,
    /// Whoever finds no good key looks for one; the others wait for it.
    looking: Mutex<()>,
}

/// The key that signs now.
pub(crate) struct Signer {
    kid: String,
    key: SigningKey,
    retire_time: i64,
}

impl Signer {
    /// A token that says this.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, Error> {
        Ok(self.key.sign(Some(&self.kid), claims)?)
    }
}

impl Keys {
    pub(crate) fn new(store: Store, lifetimes: Lifetimes) -> Self {
        Self { store, lifetimes, signer: RwLock::default(), looking: Mutex::default() }
    }

    /// The key that signs now. Asked for before a transaction is begun: it may need one itself.
    pub(crate) async fn signer(&self) -> Result<Arc<Signer>, Error> {
        if let Some(signer) = self.known() {
            return Ok(signer);
        }
        let _looking = self.looking.lock().await;
        if let Some(signer) = self.known() {
            return Ok(signer);
        }
        self.rotate().await?;
        let reader = self.store.read(&context());
        let kept = sql::signing_key(&reader, self.now()).await?.ok_or(Error::NoSigningKey)?;
        let KeptKey { kid, der, retire_time } = kept;
        let signer = Arc::new(Signer { kid, key: SigningKey::from_der(&der)?, retire_time });
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&signer));
        Ok(signer)
    }

    /// Makes the next key when it is time for it; of several replicas, one does.
    pub(crate) async fn rotate(&self) -> Result<(), Error> {
        let now = self.now();
        let lifetime = micros(self.lifetimes.signing_key);
        let newest = sql::newest_key(&self.store.read(&context())).await?;
        let (generation, begins) = match newest {
            None => (sql::FIRST_GENERATION, now),
            Some((_, retires)) if retires.saturating_sub(lifetime / PUBLISHED_EARLY) > now => {
                return Ok(());
            }
            Some((generation, retires)) => (generation + 1, retires.max(now)),
        };
        let der = SigningKey::generate()?;
        let public = SigningKey::from_der(&der)?.public().to_owned();
        let kid = self.store.ids().next("key");
        let key = KeptKey { kid, der, retire_time: begins.saturating_add(lifetime) };
        let mut tx = self.store.begin_for(&context()).await?;
        if sql::keep_key(&mut tx, generation, &key, &public, now).await? {
            tx.commit().await?;
            tracing::info!(generation, kid = key.kid, "made the next signing key");
        }
        Ok(())
    }

    /// The public halves of all keys that a good token may be signed with.
    pub(crate) async fn published(&self) -> Result<Vec<Key>, Error> {
        let reader = self.store.read(&context());
        Ok(sql::public_keys(&reader, self.forgotten_before()).await?)
    }

    /// Keys that retired before then have signed no token that is still good.
    pub(crate) fn forgotten_before(&self) -> i64 {
        self.now() - micros(longest_token(&self.lifetimes)) - micros(CLOCKS_DIFFER)
    }

    fn known(&self) -> Option<Arc<Signer>> {
        let signer = self.signer.read().unwrap_or_else(PoisonError::into_inner);
        signer.as_ref().filter(|signer| signer.retire_time > self.now()).map(Arc::clone)
    }

    fn now(&self) -> i64 {
        self.store.clock().now_micros()
    }
}

/// How long an access token may be good.
pub(crate) fn longest_token(lifetimes: &Lifetimes) -> Duration {
    lifetimes.user_token.max(lifetimes.guest_token)
}

/// Keys are of no project.
fn context() -> Context {
    let caller = Caller::service(NAME, DEFAULT_PROJECT, None);
    Context::new(caller, "users.keys", mesh::Trace::current())
}
