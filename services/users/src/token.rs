//! The tokens of a session: what an access token says, and what a refresh token is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mesh::clock;
use mesh::identity::{Claims, TokenKind};
use sha2::{Digest, Sha256};
use tradewind::users::v1::Session;

use crate::config::Lifetimes;
use crate::session::{Holder, micros};

/// What a refresh token begins with, so that scanners of leaked secrets know it.
const REFRESH: &str = "tw_rt_";

/// A new refresh token: 256 random bits, and nothing that can be read in them.
pub(crate) fn refresh() -> String {
    format!("{REFRESH}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// What is kept of a refresh token.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    // Not salted and not slow: nobody guesses 256 random bits.
    Sha256::digest(token).to_vec()
}

/// What the next access token of a session says; it never outlives the session.
pub(crate) fn claims(
    session: &Session,
    holder: &Holder,
    project: &str,
    jti: String,
    now: i64,
    lifetimes: &Lifetimes,
) -> Claims {
    let (kind, roles, lifetime) = match holder {
        Holder::User { roles, .. } => (TokenKind::User, roles.clone(), lifetimes.user_token),
        Holder::Guest { .. } => (TokenKind::Guest, Vec::new(), lifetimes.guest_token),
    };
    let session_ends = session.expire_time.as_ref().map_or(now, clock::micros);
    let expires = now.saturating_add(micros(lifetime)).min(session_ends);
    Claims {
        sub: holder.subject().into(),
        project: project.into(),
        kind,
        roles,
        sid: session.id.clone(),
        jti,
        iat: now.div_euclid(1_000_000),
        exp: expires.div_euclid(1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_holds_256_random_bits_and_is_kept_as_its_hash() {
        let (one, other) = (refresh(), refresh());

        assert_ne!(one, other);
        assert_eq!(URL_SAFE_NO_PAD.decode(&one[REFRESH.len()..]).unwrap().len(), 32);
        assert_eq!(digest(&one), digest(&one));
        assert_ne!(digest(&one), digest(&other));
    }

    #[test]
    fn an_access_token_never_outlives_its_session() {
        let holder = Holder::User { id: "usr_1".into(), roles: vec!["customer".into()] };
        let lifetimes = Lifetimes::default();
        let of = |ends: i64| {
            let session =
                Session { expire_time: Some(clock::timestamp(ends)), ..Session::default() };
            claims(&session, &holder, "default", String::new(), 0, &lifetimes).exp
        };

        assert_eq!(of(i64::MAX / 2), 300);
        assert_eq!(of(60_000_000), 60);
    }
}
