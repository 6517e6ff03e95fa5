//! SPIFFE ids in certificates: which service a key belongs to (SPIFFE X.509-SVID §2, §4).

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use webpki::EndEntityCert;

/// The name of a service, within a trust domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpiffeId {
    pub(super) trust_domain: String,
    pub(super) service: String,
}

impl std::fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "spiffe://{}/{}", self.trust_domain, self.service)
    }
}

impl SpiffeId {
    /// The id of a certificate: the only one of its URIs.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let malformed = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
        let certificate = EndEntityCert::try_from(certificate).map_err(malformed)?;
        let mut names = certificate.valid_uri_names();
        match (names.next(), names.next()) {
            (Some(name), None) => Self::parse(name),
            _ => None,
        }
        .ok_or(Error::InvalidCertificate(CertificateError::NotValidForName))
    }

    /// A trust domain and one segment, each of the letters that SPIFFE allows.
    fn parse(text: &str) -> Option<Self> {
        let (trust_domain, service) = text.strip_prefix("spiffe://")?.split_once('/')?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let good = |part: &str| !part.is_empty() && part.len() <= 255 && part.chars().all(plain);
        let dots = service.chars().all(|letter| letter == '.');
        (good(trust_domain) && good(service) && !dots)
            .then(|| Self { trust_domain: trust_domain.to_owned(), service: service.to_owned() })
    }
}

/// Believes a server that shows the id that is expected, signed by an authority that is.
#[derive(Debug)]
pub(super) struct Verifier {
    authorities: Arc<RootCertStore>,
    expected: SpiffeId,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(super) fn new(
        authorities: Arc<RootCertStore>,
        expected: SpiffeId,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Self { authorities, expected, provider }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.authorities,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        if SpiffeId::of(end_entity)? != self.expected {
            return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_a_trust_domain_and_a_service() {
        let id = SpiffeId::parse("spiffe://tradewind/orders").unwrap();

        assert_eq!((id.trust_domain.as_str(), id.service.as_str()), ("tradewind", "orders"));
        for wrong in [
            "",
            "orders",
            "https://tradewind/orders",
            "spiffe://tradewind",
            "spiffe://tradewind/",
            "spiffe:///orders",
            "spiffe://tradewind/orders/more",
            "spiffe://tradewind/..",
            "spiffe://tradewind:8080/orders",
            "spiffe://someone@tradewind/orders",
            "spiffe://tradewind/orders?query",
        ] {
            assert_eq!(SpiffeId::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(text in "spiffe://[a-z.]{1,9}/[a-z/:?]{0,9}") {
            if let Some(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
