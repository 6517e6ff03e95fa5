//! Ed25519 keys that sign tokens.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("it is not an Ed25519 private key in PKCS#8")]
pub struct MalformedKey;

/// A private key, with its public half as a JWK has it.
#[derive(Clone)]
pub struct SigningKey {
    private: EncodingKey,
    public: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key, as PKCS#8 DER to keep.
    pub fn generate() -> Result<Vec<u8>, MalformedKey> {
        let key = Ed25519KeyPair::generate().map_err(|_| MalformedKey)?;
        Ok(key.to_pkcs8().map_err(|_| MalformedKey)?.as_ref().to_vec())
    }

    /// A new key, as PKCS#8 PEM to keep.
    pub fn generate_pem() -> Result<String, MalformedKey> {
        let body = STANDARD.encode(Self::generate()?);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Ok(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        ))
    }

    /// A key from its PKCS#8 DER.
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedKey> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| MalformedKey)?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        Ok(Self { private: EncodingKey::from_ed_der(der), public })
    }

    /// A key from its PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, MalformedKey> {
        let key = EncodingKey::from_ed_pem(pem).map_err(|_| MalformedKey)?;
        Self::from_der(key.as_bytes())
    }

    /// The public half, in base64url: the `x` of its JWK.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The public half, to check with.
    pub(crate) fn checking(&self) -> Result<DecodingKey, MalformedKey> {
        DecodingKey::from_ed_components(&self.public).map_err(|_| MalformedKey)
    }

    /// A JSON Web Token with these claims.
    pub fn sign(&self, kid: Option<&str>, claims: &impl Serialize) -> Result<String, MalformedKey> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.private).map_err(|_| MalformedKey)
    }
}

/// The claims of a token whose signature is right. Its times and its audience are not looked at: checked
/// tokens are remembered, and what changes with time is asked at each use.
pub(crate) fn claims<C: DeserializeOwned>(token: &str, key: &DecodingKey) -> Option<C> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<C>(token, key, &validation).ok().map(|token| token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_key_is_the_same_key() {
        let der = SigningKey::generate().unwrap();

        let (one, other) =
            (SigningKey::from_der(&der).unwrap(), SigningKey::from_der(&der).unwrap());

        assert_eq!(one.public(), other.public());
        assert_eq!(one.public().len(), 43);
    }
}
