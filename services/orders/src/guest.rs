//! The token with which a guest reads one order, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::{Digest, Sha256};

/// A new token: 256 random bits. It is shown once and kept as its hash.
pub(crate) fn new_token() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    format!("tw_ot_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a token; nothing of an empty one, which no token matches.
pub(crate) fn hash(token: &str) -> Vec<u8> {
    if token.is_empty() { Vec::new() } else { Sha256::digest(token.as_bytes()).to_vec() }
}

/// Whether a token is the one that was kept.
pub(crate) fn matches(token: &str, kept: &[u8]) -> bool {
    // Hashes of unknown 256-bit tokens tell nothing by the time that comparing them takes.
    !kept.is_empty() && hash(token) == kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_token_opens_an_order() {
        let (one, other) = (new_token(), new_token());

        assert!(matches(&one, &hash(&one)));
        assert!(!matches(&other, &hash(&one)));
        assert!(!matches("", &hash("")));
    }
}
