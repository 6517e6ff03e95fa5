//! Which addresses are behind a target, and until when that is believed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use tokio::time::Instant;

use super::connection::Address;
use super::target::Target;

/// However short a TTL is, a name is not asked for more often; and not less often however long it is, or a
/// service that has grown would not be found.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// What is behind a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Sorted, each once.
    pub(super) addresses: Vec<Address>,
    /// When to ask again; never for what cannot change.
    pub(super) until: Option<Instant>,
}

/// Why nothing is known of a target.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("the system's DNS settings cannot be used")]
    Settings(#[source] hickory_resolver::net::NetError),
    #[error("the name {host} cannot be resolved: {source}")]
    Lookup { host: String, source: hickory_resolver::net::NetError },
    #[error("the name {0} has no addresses")]
    Empty(String),
}

/// Asks for the addresses of one target.
pub(super) struct Resolver {
    target: Target,
    dns: Option<TokioResolver>,
}

impl Resolver {
    pub(super) fn new(target: Target) -> Self {
        Self { target, dns: None }
    }

    /// The addresses as they are now.
    pub(super) async fn resolve(&mut self) -> Result<Resolved, ResolveError> {
        let fixed = |addresses: Vec<Address>| Resolved { addresses, until: None };
        match &self.target {
            Target::Static(addresses) => Ok(fixed(sorted(addresses.iter().copied()))),
            Target::Unix(path) => Ok(fixed(vec![Address::Unix(path.clone())])),
            Target::Inproc => Ok(fixed(Vec::new())),
            Target::Dns { host, port, .. } => match host.parse::<IpAddr>() {
                Ok(address) => Ok(fixed(sorted([SocketAddr::new(address, *port)]))),
                Err(_) => self.look_up(host.clone(), *port).await,
            },
        }
    }

    async fn look_up(&mut self, host: String, port: u16) -> Result<Resolved, ResolveError> {
        let dns = match &self.dns {
            Some(dns) => dns,
            None => self.dns.insert(resolver().map_err(ResolveError::Settings)?),
        };
        let found = match dns.lookup_ip(host.as_str()).await {
            Ok(found) => found,
            Err(source) => return Err(ResolveError::Lookup { host, source }),
        };
        let addresses = sorted(found.iter().map(|address| SocketAddr::new(address, port)));
        if addresses.is_empty() {
            return Err(ResolveError::Empty(host));
        }
        let believed = found.valid_until().saturating_duration_since(std::time::Instant::now());
        let until = Instant::now() + believed.clamp(SHORTEST, LONGEST);
        Ok(Resolved { addresses, until: Some(until) })
    }
}

/// The system's resolver. It keeps no answers: whoever asks again does so because one has aged or failed.
fn resolver() -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

fn sorted(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<Address> {
    let mut addresses: Vec<_> = addresses.into_iter().map(Address::Tcp).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}
