//! Certificates and keys as they stand in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::provider;
use super::spiffe::SpiffeId;

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not PEM, or has nothing of what it should have.
    #[error("{0} holds no {1} in PEM")]
    Empty(PathBuf, &'static str),
    /// The key and the certificate do not belong together, or are of a kind that is not known.
    #[error("{path} cannot be used: {source}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A certificate names no service.
    #[error(
        "{0} has not exactly one SPIFFE id of a service, such as spiffe://tradewind/orders, among its names"
    )]
    NoSpiffeId(PathBuf),
    /// A certificate names another service than its file.
    #[error("{0} shows {1}")]
    AnothersIdentity(PathBuf, String),
    /// There is no certificate for a service.
    #[error("there is no certificate for `{0}` here")]
    NoIdentity(String),
    /// The authorities.
    #[error("the authorities cannot be used: {0}")]
    Authorities(String),
    /// Settings that do not fit together.
    #[error(transparent)]
    Settings(#[from] rustls::Error),
}

/// What a service shows of itself.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) service: &'static str,
    pub(super) id: SpiffeId,
    pub(super) key: Arc<SingleCertAndKey>,
    certified: Arc<CertifiedKey>,
}

impl Shown {
    pub(super) fn read(
        service: &'static str,
        certificate: &Path,
        key: &Path,
        read: &mut Vec<Vec<u8>>,
    ) -> Result<Self, TlsError> {
        let certified = read_key(certificate, key, read)?;
        let leaf = certified.cert.first();
        let id = leaf.and_then(|leaf| SpiffeId::of(leaf).ok());
        let id = id.ok_or_else(|| TlsError::NoSpiffeId(certificate.into()))?;
        let certified = Arc::new(certified);
        let key = Arc::new(SingleCertAndKey::from(Arc::clone(&certified)));
        Ok(Self { service, id, key, certified })
    }
}

/// A chain of certificates with its key.
pub(super) fn read_key(
    certificate: &Path,
    key: &Path,
    read: &mut Vec<Vec<u8>>,
) -> Result<CertifiedKey, TlsError> {
    let chain = read_certificates(certificate, read)?;
    let pem = bytes(key, read)?;
    let private = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| TlsError::Empty(key.into(), "private key"))?;
    CertifiedKey::from_der(chain, private, &provider())
        .map_err(|source| TlsError::Unusable { path: key.into(), source })
}

/// Whoever these have signed is believed.
pub(super) fn read_authorities(
    path: &Path,
    read: &mut Vec<Vec<u8>>,
) -> Result<RootCertStore, TlsError> {
    let mut authorities = RootCertStore::empty();
    for certificate in read_certificates(path, read)? {
        authorities
            .add(certificate)
            .map_err(|source| TlsError::Unusable { path: path.into(), source })?;
    }
    Ok(authorities)
}

/// The certificates of a file, the first one first.
pub(super) fn read_certificates(
    path: &Path,
    read: &mut Vec<Vec<u8>>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = bytes(path, read)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let empty = || TlsError::Empty(path.into(), "certificate");
    certificates.ok().filter(|found| !found.is_empty()).ok_or_else(empty)
}

/// The bytes of a file, which are remembered to tell whether it has changed.
fn bytes(path: &Path, read: &mut Vec<Vec<u8>>) -> Result<Vec<u8>, TlsError> {
    let bytes =
        std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.into(), source })?;
    read.push(bytes.clone());
    Ok(bytes)
}

/// Shows the certificate of the service that a client asks for by name.
#[derive(Debug)]
pub(super) struct Chosen {
    by_name: Vec<(&'static str, Arc<CertifiedKey>)>,
}

impl Chosen {
    pub(super) fn of(shown: &[Shown]) -> Self {
        let named = |shown: &Shown| (shown.service, Arc::clone(&shown.certified));
        Self { by_name: shown.iter().map(named).collect() }
    }
}

impl ResolvesServerCert for Chosen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let named = self.by_name.iter().find(|(name, _)| Some(*name) == asked);
        // Whoever asks for nobody sees the first, and decides whether that will do.
        named.or(self.by_name.first()).map(|(_, key)| Arc::clone(key))
    }
}
