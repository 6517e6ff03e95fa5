//! What signs access tokens, and says which keys and sessions are good.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mesh::identity::{Claims, TokenKind};
use mesh::signing::SigningKey;
use mesh::trust::{Snapshot, TrustSource};
use mesh::{Clock, Code, Status, async_trait};

/// How long a token is good, in seconds.
pub(crate) const LIFETIME: i64 = 600;

pub(crate) struct Signer {
    key: SigningKey,
    clock: Clock,
    ended: Mutex<Vec<String>>,
    asked: AtomicU32,
    silent: AtomicBool,
}

impl Signer {
    pub(crate) fn new(clock: Clock) -> Self {
        let key = SigningKey::from_der(&SigningKey::generate().unwrap()).unwrap();
        Self {
            key,
            clock,
            ended: Mutex::default(),
            asked: AtomicU32::default(),
            silent: AtomicBool::default(),
        }
    }

    /// A user's token, with roles, in the session `ses_` and its id.
    pub(crate) fn user(&self, id: &str, roles: &[&str]) -> String {
        self.sign("key-1", &self.claims(TokenKind::User, id, roles))
    }

    /// A guest's.
    pub(crate) fn guest(&self, id: &str) -> String {
        self.sign("key-1", &self.claims(TokenKind::Guest, id, &[]))
    }

    pub(crate) fn claims(&self, kind: TokenKind, id: &str, roles: &[&str]) -> Claims {
        let iat = self.clock.now_micros() / 1_000_000;
        Claims {
            sub: id.into(),
            project: "harbour".into(),
            kind,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            sid: format!("ses_{id}"),
            jti: format!("jti_{id}"),
            iat,
            exp: iat + LIFETIME,
        }
    }

    pub(crate) fn sign(&self, kid: &str, claims: &Claims) -> String {
        self.key.sign(Some(kid), claims).unwrap()
    }

    /// Says from now on that a session has ended.
    pub(crate) fn end(&self, session: &str) {
        self.ended.lock().unwrap().push(session.to_owned());
    }

    /// Answers nothing from now on.
    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TrustSource for Signer {
    async fn fetch(&self) -> Result<Snapshot, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.silent.load(Ordering::SeqCst) {
            return Err(Status::new(Code::Unavailable, "gone"));
        }
        Ok(Snapshot {
            keys: vec![("key-1".into(), self.key.public().into())],
            ended_sessions: self.ended.lock().unwrap().clone(),
        })
    }
}
