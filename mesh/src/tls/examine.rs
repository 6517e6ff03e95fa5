//! What certificates in files are good for, and until when.

use std::path::Path;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::files::{TlsError, read_certificates};
use super::provider;

/// Later than any certificate is good.
const END_OF_TIME: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(253_402_300_799));

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// When it ends, in seconds since 1970; nothing for one that says so in no way that is known.
    pub expires: Option<u64>,
    /// Why those who believe the authorities do not believe it now; nothing when they do.
    pub problem: Option<String>,
    /// The names of hosts that it is good for.
    pub hosts: Vec<String>,
}

/// Looks at the first certificate of a file, and at whether it leads to an authority of another one, or of the
/// system where none is named.
pub fn examine(
    certificate: &Path,
    authorities: Option<&Path>,
    now: u64,
) -> Result<Examined, TlsError> {
    let chain = read_certificates(certificate, &mut Vec::new())?;
    let believed = match authorities {
        Some(path) => read_certificates(path, &mut Vec::new())?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let leaf = chain.first().map(EndEntityCert::try_from);
    let hosts = match &leaf {
        Some(Ok(leaf)) => leaf.valid_dns_names().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ok(Examined {
        expires: expires(&chain),
        problem: verify(&chain, &believed, now).err().map(|error| error.to_string()),
        hosts,
    })
}

/// The end of an authority, which those who believe it do not look at.
pub fn expiry(certificate: &Path) -> Result<Option<u64>, TlsError> {
    Ok(expires(&read_certificates(certificate, &mut Vec::new())?))
}

/// When the first certificate of a chain ends: at the end of time it says that it has.
fn expires(chain: &[CertificateDer<'static>]) -> Option<u64> {
    match verify(chain, &[], END_OF_TIME) {
        Err(webpki::Error::CertExpired { not_after, .. }) => Some(not_after.as_secs()),
        _ => None,
    }
}

fn verify(
    chain: &[CertificateDer<'static>],
    believed: &[CertificateDer<'static>],
    now: UnixTime,
) -> Result<(), webpki::Error> {
    let Some((leaf, between)) = chain.split_first() else { return Err(webpki::Error::BadDer) };
    let leaf = EndEntityCert::try_from(leaf)?;
    let anchors: Vec<_> =
        believed.iter().filter_map(|it| anchor_from_trusted_cert(it).ok()).collect();
    let algorithms = provider().signature_verification_algorithms.all;
    let usage = KeyUsage::server_auth();
    leaf.verify_for_usage(algorithms, &anchors, between, now, usage, None, None).map(|_| ())
}
