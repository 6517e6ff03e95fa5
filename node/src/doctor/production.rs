//! What is good for trying things out, and not for a shop that people buy from.

use std::net::IpAddr;

use super::finding::{Finding, Verdict};
use crate::compose::Noun;
use crate::observing;
use crate::serve::Arguments;

const CHECK: &str = "production";
/// What nobody must be able to guess.
const GUESSED: [&str; 12] = [
    "",
    "admin",
    "changeme",
    "default",
    "example",
    "letmein",
    "pass",
    "password",
    "postgres",
    "secret",
    "test",
    "tradewind",
];
/// The shortest password that is not asked about.
const SHORTEST: usize = 12;

/// Looks at what differs between a laptop and production.
pub(super) fn look(
    arguments: &Arguments,
    here: &[Noun],
    observing: &observing::Options,
    is_production: bool,
) -> Vec<Finding> {
    let severe = Verdict::of_production(is_production);
    let mut findings = trial(arguments, severe);
    findings.extend(secrets(arguments, severe));
    findings.extend(ways(arguments, here, severe));
    findings.push(sampling(observing));
    if findings.iter().all(|finding| finding.check != CHECK || finding.verdict == Verdict::Pass) {
        findings.push(Finding::pass(CHECK, "nothing here is only for trying things out"));
    }
    findings
}

fn trial(arguments: &Arguments, severe: Verdict) -> Vec<Finding> {
    let trial = &arguments.trial;
    let email = arguments.administrator.admin_email.as_deref();
    let cases = [
        (
            trial.demo_shop,
            "--demo-shop fills the default project with sample products",
            "leave it out",
        ),
        (
            trial.development,
            "--development allows what must never be in production",
            "leave it out",
        ),
        (trial.faults.is_some(), "--faults makes processes stand still", "leave it out"),
        (
            email == Some(crate::demo::ADMIN_EMAIL),
            "the superadmin is the account of the sample shop",
            "name an address of your own with --admin-email",
        ),
        (
            here_mails(arguments),
            "mails are kept and not sent: there is no --smtp",
            "name a mail server with --smtp, and whom mail comes from with --mail-from",
        ),
    ];
    let told = cases.into_iter().filter(|(is_so, ..)| *is_so);
    told.map(|(_, found, advice)| Finding::of(CHECK, severe, found, advice)).collect()
}

/// Whether mails are written here and go nowhere.
fn here_mails(arguments: &Arguments) -> bool {
    let services = &arguments.services;
    let is_here = services.is_empty() || services.contains(&Noun::Notifications);
    is_here && arguments.mail.smtp.is_none()
}

fn secrets(arguments: &Arguments, severe: Verdict) -> Vec<Finding> {
    let mut findings = Vec::new();
    let given = &arguments.administrator.admin_password;
    if given.as_deref().is_some_and(is_guessed) {
        let found = "the password of --admin-password is short or the first that others try";
        let advice = "leave it out: a one-time password is printed, and `tradewind login` asks for one of your own";
        findings.push(Finding::of(CHECK, severe, found, advice));
    }
    let urls =
        [("--database", &arguments.storage.place.database), ("--redis", &arguments.shared.redis)];
    for (flag, url) in urls {
        if url.as_deref().is_some_and(|url| is_over_network(url) && is_guessed(&password_of(url))) {
            let found =
                format!("the password in {flag} is missing, short, or the first that others try");
            let advice = "set a long random one, and give it by the environment or a secret file";
            findings.push(Finding::of(CHECK, severe, found, advice));
        }
    }
    findings
}

fn is_guessed(password: &str) -> bool {
    password.len() < SHORTEST || GUESSED.contains(&password.to_lowercase().as_str())
}

/// Whether a URL names another machine than this.
fn is_over_network(url: &str) -> bool {
    let host = host_of(url);
    let is_here = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    !host.is_empty() && host != "localhost" && !is_here
}

/// What stands between `://` and the path.
fn authority_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn host_of(url: &str) -> &str {
    let authority = authority_of(url);
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    match address.strip_prefix('[') {
        Some(inside) => inside.split(']').next().unwrap_or_default(),
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    }
}

fn password_of(url: &str) -> String {
    let credentials = authority_of(url).rsplit_once('@').map_or("", |(credentials, _)| credentials);
    credentials.split_once(':').map_or("", |(_, password)| password).to_owned()
}

fn ways(arguments: &Arguments, here: &[Noun], severe: Verdict) -> Vec<Finding> {
    let mut findings = Vec::new();
    let listen = &arguments.listen;
    let is_open = !listen.listen.ip().is_loopback();
    if here.contains(&Noun::Gateway) && is_open && listen.tls_cert.is_none() {
        let found = format!("the gateway speaks plain HTTP on {}", listen.listen);
        let advice =
            "end TLS before it (an ingress, a load balancer), or give it --tls-cert and --tls-key";
        findings.push(Finding::warn(CHECK, found, advice));
    }
    if listen.allowed_origins.iter().any(|origin| origin == "*") {
        let advice = "name the origins of your own pages with --allowed-origins";
        findings.push(Finding::of(
            CHECK,
            severe,
            "pages of every origin may call the gateway",
            advice,
        ));
    }
    if !arguments.others.at.is_empty() && arguments.others.certs.is_none() {
        let found = "what processes say to each other is not encrypted: there is no --certs";
        let advice = "give each its certificate with --certs; a mesh key hides nothing";
        findings.push(Finding::of(CHECK, severe, found, advice));
    }
    if is_public(listen.admin_listen.ip()) {
        let found = format!("the operators' port is at the public address {}", listen.admin_listen);
        let advice = "let it listen on a private address with --admin-listen";
        findings.push(Finding::of(CHECK, severe, found, advice));
    }
    findings
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local()),
    }
}

fn sampling(observing: &observing::Options) -> Finding {
    let sample = observing.sample();
    if observing.otlp().is_none() {
        let advice = "name a collector with --otlp: a trace says where an order has gone wrong";
        return Finding::warn("sampling", "no trace is kept: there is no --otlp", advice);
    }
    let found = format!("{} % of traces are kept", sample * 100.0);
    if sample <= 0.0 {
        return Finding::warn("sampling", found, "keep some with --sample 0.01");
    }
    if sample >= 1.0 {
        let advice =
            "keep fewer under load with --sample 0.05: each costs time here and room there";
        return Finding::warn("sampling", found, advice);
    }
    Finding::pass("sampling", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_looked_for_where_others_could_use_it() {
        assert!(!is_over_network("postgres:///shop?host=/run"));
        assert!(!is_over_network("postgres://me@localhost/shop"));
        assert!(!is_over_network("redis+unix:///run/redis.sock"));
        assert!(!is_over_network("redis://[::1]:6379"));
        assert!(is_over_network("redis://redis:6379"));
        assert_eq!(host_of("postgres://u:p@[2001:db8::1]:5432/x"), "2001:db8::1");
        assert_eq!(password_of("postgres://u:p@ss@db/x"), "p@ss");
        assert!(is_guessed(&password_of("redis://redis:6379")));
        assert!(is_guessed("Postgres"));
        assert!(!is_guessed("kXw2-81mvQ-pp0"));
    }

    #[test]
    fn a_private_address_is_not_public() {
        for address in ["127.0.0.1", "10.0.0.7", "0.0.0.0", "::", "fd00::7"] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        assert!(is_public("203.0.113.9".parse().unwrap()));
    }
}
