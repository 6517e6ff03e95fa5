//! Connections between processes that show certificates, and those that do not.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mesh::serve::{Config, Drain};
use mesh::tls::authority::Authority;
use mesh::tls::{EdgeCertificate, Identities, Tls};
use mesh::{Caller, Callers, CancellationToken, Code, Context, Mesh, Status};
use mesh_testing::parrot::v1::Report;
use mesh_testing::parrot::v1::parrot_service_client::ParrotServiceClient;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::asking::{reason, saying};
use crate::parrot::Parrot;
use crate::shape::{connect, time_passes};

/// A directory with an authority that has signed certificates for some services.
fn certificates(services: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    sign(directory.path(), services);
    directory
}

fn sign(directory: &Path, services: &[&str]) {
    let authority = Authority::open(directory, "test").unwrap();
    for service in services {
        authority.sign(directory, service, &["localhost".into()], 1).unwrap();
    }
}

fn mesh(service: &'static str, directory: &Path, at: Option<SocketAddr>, callers: Callers) -> Mesh {
    Mesh::new(mesh::Config {
        elsewhere: at.map(|at| ("parrot", format!("http://{at}"))).into_iter().collect(),
        identities: Some(Identities::open(directory, &[service]).unwrap()),
        callers,
        ..mesh::Config::new(service, vec![contract::DESCRIPTORS, mesh_testing::DESCRIPTORS])
    })
    .unwrap()
}

/// The parrot in a process of its own, which may be called by `relay`.
struct Cage {
    address: SocketAddr,
    stop: CancellationToken,
    _time: AbortOnDropHandle<()>,
}

impl Cage {
    async fn open(directory: &Path) -> Self {
        Self::of("parrot", directory).await
    }

    /// One whose process shows a certificate of another service.
    async fn of(shown: &'static str, directory: &Path) -> Self {
        let callers = Callers::default().allow("relay", "parrot");
        let mesh = mesh(shown, directory, None, callers);
        let stop = CancellationToken::new();
        mesh.run(vec![Parrot::new().service()], &stop, &TaskTracker::new()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config::mesh().ending(Drain::at_once());
        tokio::spawn(mesh::serve::grpc(listener, mesh, config, stop.clone()));
        Self { address, stop, _time: time_passes() }
    }

    /// Calls as a service, what only services may.
    async fn call(&self, from: &'static str, directory: &Path) -> Result<Report, Status> {
        let mesh = mesh(from, directory, Some(self.address), Callers::default());
        let caller = Caller::service(from, "default", None);
        let context = Context::new(caller, "test", tracing::Span::none());
        let mut parrot = ParrotServiceClient::new(mesh.peer(from, "parrot").of(&context));
        Ok(parrot.act_internal(saying("")).await?.into_inner())
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_shows_which_service_calls() {
    let directory = certificates(&["parrot", "relay"]);
    let cage = Cage::open(directory.path()).await;

    let report = cage.call("relay", directory.path()).await.unwrap();

    assert_eq!((report.principal.as_str(), report.actor.as_str()), ("service", "relay"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_has_not_declared_the_call_is_refused() {
    let directory = certificates(&["parrot", "cart"]);
    let cage = Cage::open(directory.path()).await;

    let status = cage.call("cart", directory.path()).await.unwrap_err();

    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(reason(&status), "UNDECLARED_CALLER");
}

#[tokio::test(start_paused = true)]
async fn a_service_can_show_itself_as_no_other() {
    let directory = certificates(&["parrot", "relay", "cart"]);
    let cage = Cage::open(directory.path()).await;
    let mesh = mesh("relay", directory.path(), Some(cage.address), Callers::default());
    let caller = Caller::service("orders", "default", None);
    let context = Context::new(caller, "test", tracing::Span::none());
    let mut parrot = ParrotServiceClient::new(mesh.peer("relay", "parrot").of(&context));

    let status = parrot.act_internal(saying("")).await.unwrap_err();

    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn another_authoritys_service_is_not_talked_to_and_does_not_talk() {
    let (own, others) = (certificates(&["parrot", "relay"]), certificates(&["parrot", "relay"]));
    let cage = Cage::open(own.path()).await;

    let status = cage.call("relay", others.path()).await.unwrap_err();

    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn whoever_answers_in_the_name_of_another_service_is_told_nothing() {
    let directory = certificates(&["cart", "relay"]);
    let cage = Cage::of("cart", directory.path()).await;

    let status = cage.call("relay", directory.path()).await.unwrap_err();

    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn whoever_shows_no_certificate_gets_no_answer() {
    let directory = certificates(&["parrot"]);
    let cage = Cage::open(directory.path()).await;
    let plain = connect(cage.address).await;

    let in_plain = ParrotServiceClient::new(plain).act(saying("")).await.unwrap_err();
    let encrypted = peer_certificate(cage.address, directory.path()).await;

    assert_ne!(in_plain.code(), Code::Ok);
    // TLS 1.3 lets a client say hello and asks afterwards, so that the certificate is seen and no more.
    assert!(encrypted.is_ok());
}

/// The certificate that a port shows to whoever believes a directory's authority.
async fn peer_certificate(address: SocketAddr, directory: &Path) -> std::io::Result<Vec<u8>> {
    let mut authorities = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(directory.join("ca.pem")).unwrap() {
        authorities.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
}

#[tokio::test(start_paused = true)]
async fn new_certificates_are_taken_over_and_what_is_none_is_not() {
    let directory = certificates(&["parrot", "relay"]);
    let cage = Cage::open(directory.path()).await;
    let shown = || peer_certificate(cage.address, directory.path());
    let first = shown().await.unwrap();
    let pause = Duration::from_secs(6);

    std::fs::write(directory.path().join("parrot.pem"), "nothing").unwrap();
    tokio::time::sleep(pause).await;
    let kept = shown().await.unwrap();
    sign(directory.path(), &["parrot"]);
    tokio::time::sleep(pause).await;
    let second = shown().await.unwrap();

    assert_eq!(kept, first);
    assert_ne!(second, first);
    cage.call("relay", directory.path()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_edge_shows_its_certificate_and_takes_a_new_one() {
    let _time = time_passes();
    let directory = certificates(&["shop"]);
    let file = |name: &str| directory.path().join(name);
    let edge = EdgeCertificate::open(&file("shop.pem"), &file("shop-key.pem")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let config = Config::edge().secured(Some(Tls::Edge(edge.clone())));
    let nothing = tower::service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(tonic::body::Body::empty()))
    });
    tokio::spawn(mesh::serve::http(listener, nothing, config, stop.clone()));
    let following = tokio::spawn(edge.follow());
    let first = peer_certificate(address, directory.path()).await.unwrap();

    sign(directory.path(), &["shop"]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let second = peer_certificate(address, directory.path()).await.unwrap();

    assert_ne!(first, second);
    following.abort();
    stop.cancel();
}

#[test]
fn certificates_that_do_not_fit_are_refused_with_the_file() {
    let directory = certificates(&["parrot", "relay"]);
    let open = |service| Identities::open(directory.path(), &[service]).map(|_| ());
    let told = |service| open(service).unwrap_err().to_string();
    let file = |name: &str| directory.path().join(name);

    let absent = told("cart");
    std::fs::copy(file("parrot.pem"), file("orders.pem")).unwrap();
    std::fs::copy(file("parrot-key.pem"), file("orders-key.pem")).unwrap();
    let anothers = told("orders");
    std::fs::copy(file("relay-key.pem"), file("parrot-key.pem")).unwrap();
    let unfitting = told("parrot");
    std::fs::write(file("relay-key.pem"), "no key").unwrap();
    let no_key = told("relay");

    assert!(absent.contains("cart.pem cannot be read"), "{absent}");
    assert!(anothers.contains("orders.pem shows spiffe://test/parrot"), "{anothers}");
    assert!(unfitting.contains("parrot-key.pem cannot be used"), "{unfitting}");
    assert!(no_key.contains("relay-key.pem holds no private key"), "{no_key}");
}
