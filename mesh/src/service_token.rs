//! How one process of the mesh shows another that it is a service: a short-lived token for one target.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderName;
use jsonwebtoken::DecodingKey;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::failure::Refusal;
use crate::signing::{self, MalformedKey, SigningKey};

/// Carries the token.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("tradewind-service");
/// The customer that the service works for.
pub(crate) const ON_BEHALF: HeaderName = HeaderName::from_static("tradewind-on-behalf");
/// Names the service as the caller, and not merely as the one that passes a call on.
pub(crate) const ACTING: HeaderName = HeaderName::from_static("tradewind-acting");
/// The project of a call that a service makes; absent on calls that it passes on from the edge.
pub(crate) const PROJECT: HeaderName = HeaderName::from_static("tradewind-project");
/// The address of the client whose call a service passes on.
pub(crate) const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("tradewind-client-address");
/// What only a process of the mesh may say; it is taken off every call that goes out, before its own words.
pub(crate) const RESERVED: [HeaderName; 5] = [HEADER, ACTING, ON_BEHALF, PROJECT, CLIENT_ADDRESS];

/// How long a token is good, in seconds, and after how many it is made anew.
const LIFETIME: i64 = 60;
const RENEWED_AFTER: i64 = 30;

/// Who shows itself to whom.
type Pair = (Arc<str>, String);

/// The key that every process of one mesh holds: it signs and checks service tokens.
pub struct ServiceKey {
    signing: SigningKey,
    checking: DecodingKey,
    made: RwLock<HashMap<Pair, (i64, Arc<str>)>>,
    checked: Cache<String, Claims>,
}

impl std::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceKey").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    exp: i64,
}

/// A mesh key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the mesh key {path} cannot be read")]
    Unreadable {
        /// Where it was looked for.
        path: String,
        /// Why it cannot.
        source: std::io::Error,
    },
    /// The file is not a key.
    #[error("the mesh key cannot be used; make one with `openssl genpkey -algorithm ed25519`")]
    Malformed(#[from] MalformedKey),
}

impl ServiceKey {
    /// Reads a key: Ed25519, PKCS#8, PEM.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let pem = std::fs::read(path)
            .map_err(|source| KeyError::Unreadable { path: path.display().to_string(), source })?;
        Self::from_pem(&pem)
    }

    /// A key from its PEM.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let signing = SigningKey::from_pem(pem)?;
        let checking = signing.checking()?;
        let checked = Cache::builder().max_capacity(10_000).build();
        Ok(Self { signing, checking, made: RwLock::default(), checked })
    }

    /// A token that shows `service` to `target`.
    pub(crate) fn token(&self, service: &Arc<str>, target: &str, now: i64) -> Option<Arc<str>> {
        let key = (Arc::clone(service), target.to_owned());
        if let Some((since, token)) =
            self.made.read().unwrap_or_else(PoisonError::into_inner).get(&key)
            && now - since < RENEWED_AFTER
        {
            return Some(Arc::clone(token));
        }
        let claims =
            Claims { sub: service.to_string(), aud: target.to_owned(), exp: now + LIFETIME };
        let token: Arc<str> = self.signing.sign(None, &claims).ok()?.into();
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        made.insert(key, (now, Arc::clone(&token)));
        Some(token)
    }

    /// The service that a token shows, when it is good here and now.
    pub(crate) fn check(&self, token: &str, audience: &str, now: i64) -> Result<String, Refusal> {
        let claims = if let Some(claims) = self.checked.get(token) {
            claims
        } else {
            let claims: Claims = signing::claims(token, &self.checking)
                .ok_or(Refusal::InvalidToken("the service token's signature is not right"))?;
            self.checked.insert(token.to_owned(), claims.clone());
            claims
        };
        if claims.aud != audience {
            return Err(Refusal::InvalidToken("the service token is for another service"));
        }
        if claims.exp <= now {
            return Err(Refusal::InvalidToken("the service token has expired"));
        }
        Ok(claims.sub)
    }
}

/// Whether a call says that a service makes it; only its token shows that it is true.
pub(crate) fn is_claimed(headers: &http::HeaderMap) -> bool {
    headers.contains_key(HEADER) && headers.contains_key(PROJECT)
}

/// Whom a token must be for: the gRPC service of a path, `/pkg.Service/Method`.
pub(crate) fn audience(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}
