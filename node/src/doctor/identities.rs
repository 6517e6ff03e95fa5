//! Whether certificates are good, for how long, and for which names.

use std::path::Path;

use mesh::Clock;
use mesh::tls::EdgeCertificate;
use mesh::tls::examine::{Examined, examine, expiry};

use super::finding::{Finding, chain};
use crate::compose::Noun;
use crate::serve::Arguments;

const CHECK: &str = "certificates";
const DAY: u64 = 86_400;
/// Whoever renews certificates has done so by then.
const SOON: u64 = 7 * DAY;

/// Looks at the certificates between processes, and at that of the gateway.
pub(super) fn look(arguments: &Arguments, here: &[Noun], clock: &Clock) -> Vec<Finding> {
    let now = u64::try_from(clock.now_micros() / 1_000_000).unwrap_or_default();
    let mut findings = Vec::new();
    if let Some(directory) = &arguments.others.certs {
        findings.extend(between(arguments, directory, here, now));
    }
    if let (Some(certificate), Some(key)) = (&arguments.listen.tls_cert, &arguments.listen.tls_key)
    {
        findings.push(edge(certificate, key, now));
    }
    findings
}

fn between(arguments: &Arguments, directory: &Path, here: &[Noun], now: u64) -> Vec<Finding> {
    let advice =
        "`tradewind certs DIR` writes them for development; in Kubernetes cert-manager does";
    if let Err(error) = arguments.others.identities(here) {
        return vec![Finding::fail(CHECK, format!("{error:#}"), advice)];
    }
    let ca = directory.join("ca.pem");
    let mut findings = Vec::new();
    for noun in here {
        let file = directory.join(format!("{}.pem", noun.name()));
        findings.push(match examine(&file, Some(&ca), now) {
            Ok(examined) => judge(&file, &examined, now),
            Err(error) => Finding::fail(CHECK, chain(&error), advice),
        });
    }
    findings.extend(expiry(&ca).ok().flatten().map(|expires| ends(&ca, expires, now)));
    findings
}

fn edge(certificate: &Path, key: &Path, now: u64) -> Finding {
    let advice = "give --tls-cert the certificate with its chain, and --tls-key the key that belongs to it, both PEM";
    if let Err(error) = EdgeCertificate::open(certificate, key) {
        return Finding::fail(CHECK, chain(&error), advice);
    }
    let shown = certificate.display();
    match examine(certificate, None, now) {
        Err(error) => Finding::fail(CHECK, chain(&error), advice),
        Ok(examined) if examined.hosts.is_empty() => Finding::fail(
            CHECK,
            format!("{shown} is good for no host"),
            "have it signed for the names that browsers call, as subjectAltName",
        ),
        Ok(Examined { problem: Some(problem), expires, hosts })
            if expires.is_none_or(|expires| expires > now) =>
        {
            Finding::warn(
                CHECK,
                format!(
                    "{shown} for {} is not believed by this system: {problem}",
                    hosts.join(", ")
                ),
                "browsers may refuse it: have it signed by a public authority, and put its chain behind it",
            )
        }
        Ok(examined) => judge(certificate, &examined, now),
    }
}

fn judge(file: &Path, examined: &Examined, now: u64) -> Finding {
    let shown = file.display();
    match examined {
        Examined { expires: Some(expires), problem, .. }
            if problem.is_none() || *expires <= now =>
        {
            ends(file, *expires, now)
        }
        Examined { problem: Some(problem), .. } => Finding::fail(
            CHECK,
            format!("{shown} is not believed by those who believe ca.pem: {problem}"),
            "have it signed by that authority, or give every process the authority that signed it",
        ),
        Examined { .. } => Finding::pass(CHECK, format!("{shown} is good, without an end")),
    }
}

/// How long something is still good.
fn ends(file: &Path, expires: u64, now: u64) -> Finding {
    let shown = file.display();
    let advice = "renew it; processes take it over while they run";
    if expires <= now {
        return Finding::fail(CHECK, format!("{shown} has ended"), advice);
    }
    let left = expires - now;
    let found = format!("{shown} is good for {} more days", left / DAY);
    if left < SOON { Finding::warn(CHECK, found, advice) } else { Finding::pass(CHECK, found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_certificate_that_ends_soon_is_told_and_one_that_has_ended_fails() {
        let file = Path::new("a.pem");
        let at = |expires, problem: Option<&str>| {
            let problem = problem.map(str::to_owned);
            let examined = Examined { expires: Some(expires), problem, hosts: Vec::new() };
            judge(file, &examined, 100 * DAY).verdict
        };

        assert_eq!(at(130 * DAY, None), Verdict::Pass);
        assert_eq!(at(103 * DAY, None), Verdict::Warn);
        assert_eq!(at(99 * DAY, Some("expired")), Verdict::Fail);
        assert_eq!(at(130 * DAY, Some("unknown issuer")), Verdict::Fail);
    }
}
