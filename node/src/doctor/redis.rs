//! Whether Redis is there, and set up for what it is used for.

use mesh::Clock;
use mesh_redis::Examined;

use super::clocks::{self, Said};
use super::finding::{Finding, chain};
use crate::serve::Arguments;

const CHECK: &str = "redis";
/// The oldest that is served.
const OLDEST: u32 = 7;

/// Looks at the server that is named; several processes are better off with one.
pub(super) async fn look(arguments: &Arguments, replicas: u32, clock: &Clock) -> Vec<Finding> {
    let redis = match arguments.shared.redis() {
        Ok(Some(redis)) => redis,
        Ok(None) if replicas > 1 => {
            return vec![Finding::warn(
                CHECK,
                format!(
                    "none: each of {replicas} processes counts budgets and keeps answers for itself"
                ),
                "name a server with --redis, the same for all",
            )];
        }
        Ok(None) => return vec![Finding::pass(CHECK, "none, and one process needs none")],
        Err(error) => {
            let advice = "it looks like redis://user:password@host:6379/0";
            return vec![Finding::fail(CHECK, format!("{error:#}"), advice)];
        }
    };
    let asked = clock.now_micros();
    match redis.examine().await {
        Ok(server) => {
            let said = Said { theirs: server.now_micros, asked, known: clock.now_micros() };
            let lease = arguments.storage.pace().lease;
            vec![judge(&server), clocks::compare("the clock of Redis", &said, lease)]
        }
        Err(error) => vec![Finding::fail(
            CHECK,
            format!("it does not answer: {}", chain(&error)),
            "start it, or mend --redis: its host, its password, TLS by rediss://; services go on without it meanwhile",
        )],
    }
}

fn judge(server: &Examined) -> Finding {
    let Examined { version, maxmemory, policy, .. } = server;
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST) {
        let found = format!("version {version} is too old");
        return Finding::fail(CHECK, found, format!("run Redis {OLDEST} or newer"));
    }
    if policy.starts_with("allkeys") {
        return Finding::fail(
            CHECK,
            format!("maxmemory-policy {policy} lets events go when memory is short"),
            "CONFIG SET maxmemory-policy volatile-lru: only what can be made again goes then",
        );
    }
    if *maxmemory == 0 {
        return Finding::warn(
            CHECK,
            format!("version {version} answers, with no maxmemory: it may take all there is"),
            "set maxmemory, and maxmemory-policy volatile-lru",
        );
    }
    Finding::pass(CHECK, format!("version {version} answers, maxmemory-policy {policy}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_server_that_is_old_or_lets_events_go_is_refused() {
        let good = Examined {
            version: "7.2.4".into(),
            maxmemory: 1 << 30,
            policy: "volatile-lru".into(),
            now_micros: 0,
        };

        assert_eq!(judge(&good).verdict, Verdict::Pass);
        let old = Examined { version: "6.2.1".into(), ..good.clone() };
        assert_eq!(judge(&old).verdict, Verdict::Fail);
        let evicts = Examined { policy: "allkeys-lru".into(), ..good.clone() };
        assert_eq!(judge(&evicts).verdict, Verdict::Fail);
        assert_eq!(judge(&Examined { maxmemory: 0, ..good }).verdict, Verdict::Warn);
    }
}
