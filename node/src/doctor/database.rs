//! Whether the database can be reached, is one that services can work with, and has room for all processes.

use mesh::Clock;
use store::{Database, Examined};

use super::clocks::{self, Said};
use super::finding::{Finding, Verdict, chain};
use crate::compose::Noun;
use crate::migrate::schemas;
use crate::serve::Arguments;

const DATABASE: &str = "database";
const CONNECTIONS: &str = "connections";
const MIGRATIONS: &str = "migrations";
/// What one process opens beside its pool: it listens for other replicas.
const BESIDE: i64 = 1;

/// Looks at the database, its tables, its clock, and at what its connections add up to.
pub(super) async fn look(
    arguments: &Arguments,
    here: &[Noun],
    replicas: u32,
    clock: &Clock,
) -> Vec<Finding> {
    if schemas(here).is_empty() {
        // The gateway keeps nothing.
        return Vec::new();
    }
    let storage = &arguments.storage;
    let database = storage.place.open(2);
    let asked = clock.now_micros();
    let examined = match database.examine().await {
        Ok(examined) => examined,
        Err(error) => return vec![unreachable(&error)],
    };
    let mut findings = match examined {
        None => files(arguments, replicas),
        Some(server) => {
            let said = Said { theirs: server.now_micros, asked, known: clock.now_micros() };
            let lease = storage.pace().lease;
            let each = i64::try_from(storage.connections).unwrap_or(i64::MAX);
            vec![
                serves(&server),
                clocks::compare("the clock of PostgreSQL", &said, lease),
                connections(i64::from(replicas), each, server.connections),
            ]
        }
    };
    findings.extend(migrations(&database, here, storage.no_migrate).await);
    findings
}

fn unreachable(error: &store::Error) -> Finding {
    Finding::fail(
        DATABASE,
        chain(error),
        "is the server up and its name right, does it let this host in (pg_hba.conf), are user and password those of \
         --database? `psql` with the same URL says the same",
    )
}

fn files(arguments: &Arguments, replicas: u32) -> Vec<Finding> {
    let data = arguments.storage.place.data.display();
    if replicas > 1 {
        return vec![Finding::fail(
            DATABASE,
            format!("{replicas} processes cannot share the SQLite files in {data}"),
            "run one process, or give all of them one PostgreSQL with --database",
        )];
    }
    vec![Finding::pass(DATABASE, format!("SQLite files in {data}"))]
}

fn serves(server: &Examined) -> Finding {
    let version = format!("PostgreSQL {}.{}", server.version / 10_000, server.version % 10_000);
    if server.is_standby {
        let found = format!("{version} is a standby, which takes no writes");
        return Finding::fail(DATABASE, found, "name the primary with --database, or promote it");
    }
    let connected = server.connected;
    Finding::pass(DATABASE, format!("{version} answers, with {connected} clients now"))
}

/// Whether the connections of all processes fit into those that a server takes.
fn connections(replicas: i64, each: i64, takes: i64) -> Finding {
    let of_each = each.saturating_add(BESIDE);
    let most = replicas.saturating_mul(of_each);
    let found = format!(
        "{replicas} × {of_each} (--connections and {BESIDE} to listen) = {most} at most, of {takes} that the server takes"
    );
    let advice = format!(
        "lower --connections to {}, raise max_connections, or put a pooler in session mode between; a rolling update \
         runs old and new processes at once",
        (takes.saturating_mul(8) / 10 / replicas.max(1)).saturating_sub(BESIDE).max(1)
    );
    let is_tight = most > takes.saturating_mul(8) / 10;
    Finding::of(CONNECTIONS, Verdict::when(most > takes, is_tight), found, advice)
}

async fn migrations(database: &Database, here: &[Noun], no_migrate: bool) -> Vec<Finding> {
    let (mut pending, mut findings, mut ran) = (Vec::new(), Vec::new(), 0);
    for (name, migrations) in schemas(here) {
        match database.schema(name, migrations).await {
            Ok(schema) => {
                ran += schema.ran.len();
                pending.extend(schema.pending.iter().map(|it| format!("{name} {it}")));
            }
            Err(error) => {
                let advice = "run the version of tradewind that fits these tables";
                findings.push(Finding::fail(MIGRATIONS, chain(&error), advice));
            }
        }
    }
    if !findings.is_empty() {
        return findings;
    }
    let found = format!("{} have not run: {}", pending.len(), pending.join(", "));
    vec![match (pending.is_empty(), no_migrate) {
        (true, _) => Finding::pass(MIGRATIONS, format!("all {ran} have run")),
        (false, true) => Finding::fail(MIGRATIONS, found, "run `tradewind migrate` before serve"),
        (false, false) => Finding::warn(
            MIGRATIONS,
            found,
            "run `tradewind migrate`, or leave it to the first process that starts",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_of_all_processes_must_fit_with_some_room_left() {
        assert_eq!(connections(3, 24, 97).verdict, Verdict::Pass);
        assert_eq!(connections(2, 40, 97).verdict, Verdict::Warn);
        let over = connections(4, 24, 97);
        assert_eq!(over.verdict, Verdict::Fail);
        assert!(over.advice.is_some_and(|advice| advice.contains("--connections to 18")));
    }

    #[test]
    fn a_standby_is_refused() {
        let server = Examined {
            version: 170_005,
            connections: 97,
            connected: 1,
            now_micros: 0,
            is_standby: true,
        };

        assert_eq!(serves(&server).verdict, Verdict::Fail);
        assert_eq!(serves(&Examined { is_standby: false, ..server }).verdict, Verdict::Pass);
    }
}
