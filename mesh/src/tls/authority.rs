//! An authority for development and tests: it signs certificates for services, and its key lies beside them.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

/// How long the authority is good; its certificates are good for as many days as they are asked for.
const YEARS: i64 = 10;
/// The clocks of two machines may differ by so much.
const SKEW: Duration = Duration::hours(1);

/// Certificates that were not made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something cannot stand in a certificate, or the key of the authority is none.
    #[error("a certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
}

/// Signs certificates for services.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    trust_domain: String,
}

impl Authority {
    /// The authority of a directory, `ca.pem` and `ca-key.pem`; a new one where there is none.
    pub fn open(directory: &Path, trust_domain: &str) -> Result<Self, AuthorityError> {
        let (certificate, key) = (directory.join("ca.pem"), directory.join("ca-key.pem"));
        let params = params_of_authority(trust_domain, OffsetDateTime::now_utc());
        let pair = if key.exists() {
            KeyPair::from_pem(&read(&key)?)?
        } else {
            let pair = KeyPair::generate()?;
            write(&key, &pair.serialize_pem())?;
            write(&certificate, &params.self_signed(&pair)?.pem())?;
            pair
        };
        Ok(Self { issuer: Issuer::new(params, pair), trust_domain: trust_domain.to_owned() })
    }

    /// Writes a new certificate for a service, good for so many days, with the names that its host has.
    pub fn sign(
        &self,
        directory: &Path,
        service: &str,
        names: &[String],
        days: u32,
    ) -> Result<(), AuthorityError> {
        let now = OffsetDateTime::now_utc();
        let mut params = CertificateParams::new(names)?;
        let id = format!("spiffe://{}/{service}", self.trust_domain);
        params.subject_alt_names.push(SanType::URI(id.try_into()?));
        params.distinguished_name = named(service);
        params.not_before = now - SKEW;
        params.not_after = now + Duration::days(days.into());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let pair = KeyPair::generate()?;
        let signed = params.signed_by(&pair, &self.issuer)?;
        // The key first: whoever reads between the two finds a pair that does not fit, and keeps the last.
        write(&directory.join(format!("{service}-key.pem")), &pair.serialize_pem())?;
        write(&directory.join(format!("{service}.pem")), &signed.pem())
    }
}

fn params_of_authority(trust_domain: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("{trust_domain} development authority"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - SKEW;
    params.not_after = now + Duration::days(365 * YEARS);
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    std::fs::read_to_string(path)
        .map_err(|source| AuthorityError::File { path: path.into(), source })
}

/// Replaces a file at once: whoever reads it sees the old or the new, and its owner alone may.
fn write(path: &Path, text: &str) -> Result<(), AuthorityError> {
    let new = path.with_extension("pem.new");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&new, path));
    written.map_err(|source| AuthorityError::File { path: path.into(), source })
}
