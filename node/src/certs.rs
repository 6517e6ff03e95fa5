//! `tradewind certs`: certificates for development, so that processes show themselves to each other.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use mesh::tls::authority::Authority;

use crate::compose::Noun;
use crate::say;

/// What `certs` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the authority and the certificates are written; an authority that is there is kept.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The services that get a certificate, those of your own too; all of the mesh when none is named.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// What the mesh is called in the names of its services: `spiffe://tradewind/orders`.
    #[arg(long, default_value = "tradewind", value_name = "NAME")]
    trust_domain: String,
    /// How long the certificates are good, in days. Processes take over new ones while they run.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Names of hosts that a certificate is good for too, for programs that know no SPIFFE ids.
    #[arg(long = "host", default_values = ["localhost", "127.0.0.1"], value_name = "NAME")]
    hosts: Vec<String>,
}

/// Writes a certificate and a key for each service.
pub(crate) fn write(arguments: &Arguments) -> Result<ExitCode> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{} cannot be made", directory.display()))?;
    let authority = Authority::open(directory, &arguments.trust_domain)?;
    let services = match arguments.services.as_slice() {
        [] => Noun::ALL.map(|noun| noun.name().to_owned()).to_vec(),
        named => named.to_vec(),
    };
    for service in &services {
        authority
            .sign(directory, service, &arguments.hosts, arguments.days)
            .with_context(|| format!("the certificate of {service}"))?;
    }
    let place = directory.display();
    say(&format!("wrote {} for {}, good for {} days", place, services.join(", "), arguments.days));
    say(&format!("  give {place}/ca.pem and each service its own pair, with --certs {place}"));
    say(&format!("  keep {place}/ca-key.pem to yourself: whoever has it can be any service"));
    Ok(ExitCode::SUCCESS)
}
