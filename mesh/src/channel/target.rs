//! Where a service is, as operators write it: a gRPC target.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use http::uri::Authority;

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every address behind a name, asked for again as the answer ages: `dns:///orders.shop:7000`, or
    /// `http://orders.shop:7000`.
    Dns {
        /// A name, or an address as text.
        host: String,
        /// The port of every address.
        port: u16,
        /// Whether the name must be shown by a certificate that the system believes: `https://shop.example`.
        public: bool,
    },
    /// These addresses: `static:10.0.0.7:7000,10.0.0.8:7000`.
    Static(Vec<SocketAddr>),
    /// A socket of this machine: `unix:/run/orders.sock`.
    Unix(PathBuf),
    /// This process: `inproc:///orders`.
    Inproc,
}

/// Text that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not like dns:///host:port, http://host:port, https://host, static:10.0.0.7:7000,10.0.0.8:7000, unix:/path or inproc:///name"
)]
pub struct MalformedTarget(String);

impl FromStr for Target {
    type Err = MalformedTarget;

    fn from_str(text: &str) -> Result<Self, MalformedTarget> {
        let malformed = || MalformedTarget(text.to_owned());
        let (scheme, rest) = text.split_once(':').ok_or_else(malformed)?;
        let target = match scheme {
            // An authority would name a DNS server of its own; the system's are asked.
            "dns" => named(rest.strip_prefix("///").unwrap_or(rest), None),
            "http" => url(rest).and_then(|rest| named(rest, None)),
            "https" => url(rest).and_then(|rest| named(rest, Some(443))),
            "static" => rest
                .split(',')
                .map(|address| address.trim().parse().ok())
                .collect::<Option<Vec<SocketAddr>>>()
                .map(Self::Static),
            "unix" => unix(rest),
            "inproc" => rest.starts_with("///").then_some(Self::Inproc),
            _ => None,
        };
        target.ok_or_else(malformed)
    }
}

/// What stands behind the scheme of a URL without a path.
fn url(rest: &str) -> Option<&str> {
    Some(rest.strip_prefix("//")?.trim_end_matches('/'))
}

/// `host:port`; an IPv6 address stands in brackets. What is public has a port that need not be said.
fn named(text: &str, public_port: Option<u16>) -> Option<Target> {
    let said = text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let (host, port) = match (said, public_port) {
        (Some((host, port)), _) => (host, port.parse().ok().filter(|port| *port != 0)?),
        (None, port) => (text, port?),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(host) => host.parse::<IpAddr>().ok()?.to_string(),
        None => host.to_owned(),
    };
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    let is_name = bracketed.is_some() || (!host.is_empty() && host.chars().all(letter));
    is_name.then_some(Target::Dns { host, port, public: public_port.is_some() })
}

/// `unix:path` or `unix:///absolute`, as gRPC's naming has both.
fn unix(rest: &str) -> Option<Target> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    (!path.is_empty()).then(|| Target::Unix(path.into()))
}

impl std::fmt::Display for Target {
    /// As gRPC's naming has it, whatever was written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns { public: true, .. } => write!(f, "https://{}", self.authority()),
            Self::Dns { public: false, .. } => write!(f, "dns:///{}", self.authority()),
            Self::Static(addresses) => {
                let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
                write!(f, "static:{}", addresses.join(","))
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inproc => f.write_str("inproc:"),
        }
    }
}

impl Target {
    /// What a request names as the one that it is for, in `:authority`.
    pub(super) fn authority(&self) -> Authority {
        let text = match self {
            Self::Dns { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Dns { host, port, .. } => format!("{host}:{port}"),
            Self::Static(addresses) => {
                addresses.first().map_or_else(String::new, SocketAddr::to_string)
            }
            Self::Unix(_) | Self::Inproc => String::new(),
        };
        // A path is no authority, and gRPC's implementations say this in its place.
        text.parse().unwrap_or(Authority::from_static("localhost"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dns(host: &str, port: u16) -> Target {
        Target::Dns { host: host.into(), port, public: false }
    }

    #[test]
    fn each_scheme_is_read() {
        let read = |text: &str| text.parse::<Target>().unwrap();
        let both = ["10.0.0.7:1", "[::1]:2"].map(|address| address.parse().unwrap());

        assert_eq!(read("dns:///orders.shop:7000"), dns("orders.shop", 7000));
        assert_eq!(read("dns:orders:7000"), dns("orders", 7000));
        assert_eq!(read("http://127.0.0.1:7000"), dns("127.0.0.1", 7000));
        assert_eq!(read("http://[::1]:7000/"), dns("::1", 7000));
        let shop = Target::Dns { host: "shop.example".into(), port: 443, public: true };
        assert_eq!(read("https://shop.example/"), shop);
        assert_eq!(read("static:10.0.0.7:1, [::1]:2"), Target::Static(both.to_vec()));
        assert_eq!(read("unix:/run/a.sock"), Target::Unix("/run/a.sock".into()));
        assert_eq!(read("unix:///run/a.sock"), Target::Unix("/run/a.sock".into()));
        assert_eq!(read("inproc:///orders"), Target::Inproc);
    }

    #[test]
    fn a_target_reads_what_it_writes() {
        for text in ["dns:///orders:7000", "dns:///[::1]:1", "static:10.0.0.7:1,[::1]:2", "unix:/a"]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_would_be_one() {
        for wrong in [
            "",
            "orders",
            "orders:7000",
            "dns:///orders",
            "dns:///orders:0",
            "dns:///orders:70000",
            "dns:///two words:1",
            "dns:///[orders]:1",
            "https://",
            "https://shop.example:no",
            "http:/orders:1",
            "http://orders:1/path",
            "static:",
            "static:orders:1",
            "static:10.0.0.7:1,",
            "unix:",
            "inproc:orders",
        ] {
            let refused = wrong.parse::<Target>().unwrap_err();
            assert!(refused.to_string().contains("dns:///host:port"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = text.parse::<Target>();
        }

        #[test]
        fn a_named_target_is_its_own_authority(host in "[a-z][a-z0-9.-]{0,20}", port in 1_u16..) {
            let target: Target = format!("dns:///{host}:{port}").parse().unwrap();

            prop_assert_eq!(target.authority().to_string(), format!("{host}:{port}"));
        }
    }
}
