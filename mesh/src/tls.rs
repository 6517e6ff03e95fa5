//! Who is at the other end of a connection, and that nobody listens: TLS between processes, and at the edge.
//!
//! Between processes both sides show a certificate of the mesh's own authority, with one SPIFFE id that names
//! the service: `spiffe://<trust domain>/<service>`. Files are read again when they change, and connections
//! that are made from then on use what is new.
//!
//! Invariant: aws-lc-rs is the one provider of cryptography; two in a process would panic at first use.

pub mod authority;
pub mod examine;
mod files;
mod spiffe;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ServerConfig};
use tokio::time::sleep;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub use self::files::TlsError;
use self::files::{Chosen, Shown, read_authorities};
use self::spiffe::{SpiffeId, Verifier};

/// How often files are looked at for changes.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of one process's services, and the authorities that it believes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Identities {
    directory: Arc<Path>,
    services: Arc<[&'static str]>,
    now: Arc<ArcSwap<Held>>,
}

/// What the files said when they were read last.
#[derive(Debug)]
struct Held {
    shown: Vec<Shown>,
    authorities: Arc<rustls::RootCertStore>,
    server: Arc<ServerConfig>,
    /// The bytes that it was made of.
    read: Vec<Vec<u8>>,
}

impl Identities {
    /// Reads `ca.pem`, and `<service>.pem` with `<service>-key.pem` for each service that runs here.
    pub fn open(directory: &Path, services: &[&'static str]) -> Result<Self, TlsError> {
        let held = Held::read(directory, services)?;
        Ok(Self {
            directory: directory.into(),
            services: services.into(),
            now: Arc::new(ArcSwap::from_pointee(held)),
        })
    }

    /// Takes over each change of the files, for ever. What cannot be used leaves the last in place.
    pub async fn follow(self) {
        let mut refused = None;
        loop {
            sleep(LOOKED_AT_EVERY).await;
            match Held::read(&self.directory, &self.services) {
                Ok(held) => {
                    refused = None;
                    if held.read != self.now.load().read {
                        tracing::info!(directory = %self.directory.display(), "new certificates are in use");
                        self.now.store(Arc::new(held));
                    }
                }
                Err(error) => warn_once(&mut refused, &error),
            }
        }
    }

    /// The services that have a certificate here.
    pub(crate) fn services(&self) -> &[&'static str] {
        &self.services
    }

    /// Takes connections of other services, each of which shows its own certificate.
    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.now.load().server))
    }

    /// Connects as one service to another; whoever is not that one is not talked to.
    pub(crate) fn connector(
        &self,
        from: &str,
        to: &'static str,
    ) -> Result<(TlsConnector, ServerName<'static>), TlsError> {
        let held = self.now.load();
        let own = held.shown.iter().find(|shown| shown.service == from);
        let own = own.ok_or_else(|| TlsError::NoIdentity(from.to_owned()))?;
        let expected = SpiffeId { service: to.to_owned(), ..own.id.clone() };
        let verifier = Verifier::new(Arc::clone(&held.authorities), expected, provider());
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::clone(&own.key) as _);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(to).map_err(|_| TlsError::NoIdentity(to.to_owned()))?;
        Ok((TlsConnector::from(Arc::new(config)), name))
    }
}

impl Held {
    fn read(directory: &Path, services: &[&'static str]) -> Result<Self, TlsError> {
        let mut read = Vec::new();
        let authorities = Arc::new(read_authorities(&directory.join("ca.pem"), &mut read)?);
        let shown = services
            .iter()
            .map(|service| {
                let file = |end: &str| directory.join(format!("{service}{end}.pem"));
                let shown = Shown::read(service, &file(""), &file("-key"), &mut read)?;
                if shown.id.service != *service {
                    return Err(TlsError::AnothersIdentity(file(""), shown.id.to_string()));
                }
                Ok(shown)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities), provider())
                .build()
                .map_err(|error| TlsError::Authorities(error.to_string()))?;
        let chosen = Chosen::of(&shown);
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(chosen));
        server.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { shown, authorities, server: Arc::new(server), read })
    }
}

/// What a port shows to its clients.
#[derive(Debug, Clone)]
pub enum Tls {
    /// To other services of the mesh, which must show themselves too.
    Mesh(Identities),
    /// To anyone.
    Edge(EdgeCertificate),
}

impl Tls {
    /// As the certificates are now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        match self {
            Self::Mesh(identities) => identities.acceptor(),
            Self::Edge(certificate) => certificate.acceptor(),
        }
    }
}

/// The service that the other end of a connection has shown itself to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerService(pub(crate) Arc<str>);

impl PeerService {
    /// Whom a certificate names that was found good; nobody when it has no SPIFFE id of a service.
    pub(crate) fn of(connection: &rustls::ServerConnection) -> Option<Self> {
        let certificate = connection.peer_certificates()?.first()?;
        let id = SpiffeId::of(certificate).ok()?;
        Some(Self(id.service.into()))
    }
}

/// The certificate that the edge shows to browsers and programs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EdgeCertificate {
    certificate: Arc<Path>,
    key: Arc<Path>,
    now: Arc<ArcSwap<HeldEdge>>,
}

/// What its files said when they were read last.
#[derive(Debug)]
struct HeldEdge {
    server: Arc<ServerConfig>,
    read: Vec<Vec<u8>>,
}

impl EdgeCertificate {
    /// Reads a chain of certificates and its key, both PEM.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let held = edge(certificate, key)?;
        Ok(Self {
            certificate: certificate.into(),
            key: key.into(),
            now: Arc::new(ArcSwap::from_pointee(held)),
        })
    }

    /// Takes over each change of the files, for ever. What cannot be used leaves the last in place.
    pub async fn follow(self) {
        let mut refused = None;
        loop {
            sleep(LOOKED_AT_EVERY).await;
            match edge(&self.certificate, &self.key) {
                Ok(held) => {
                    refused = None;
                    if held.read != self.now.load().read {
                        let path = self.certificate.display();
                        tracing::info!(%path, "a new certificate is in use");
                        self.now.store(Arc::new(held));
                    }
                }
                Err(error) => warn_once(&mut refused, &error),
            }
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.now.load().server))
    }
}

fn edge(certificate: &Path, key: &Path) -> Result<HeldEdge, TlsError> {
    let mut read = Vec::new();
    let key = files::read_key(certificate, key, &mut read)?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)));
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(HeldEdge { server: Arc::new(server), read })
}

/// Connects as browsers do: whoever is called must show its name, signed by an authority that the system
/// believes (`SSL_CERT_FILE` names others).
pub(crate) fn public_connector() -> Result<TlsConnector, TlsError> {
    let mut authorities = rustls::RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn warn_once(refused: &mut Option<String>, error: &TlsError) {
    let why = error.to_string();
    if refused.as_ref() != Some(&why) {
        tracing::warn!("{why}; the last certificates stay in use");
        *refused = Some(why);
    }
}
