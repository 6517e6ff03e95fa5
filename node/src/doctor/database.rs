//! Whether the database can be reached, is one that services can work with, and has room for all processes.

use std::fs::File;
use std::path::Path;

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
const DURABILITY: &str = "durability";
/// The oldest PostgreSQL that the tests run on.
const OLDEST: i64 = 15;
/// What one process opens beside its pool: it listens for other replicas.
const BESIDE: i64 = 1;

/// Looks at the database, its tables, its clock, whether it keeps what it says, and at what its connections add
/// up to.
pub(super) async fn look(
    arguments: &Arguments,
    here: &[Noun],
    asked_for: Asked,
    clock: &Clock,
) -> Vec<Finding> {
    let Asked { replicas, is_production } = asked_for;
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
    let (mut findings, makes_schemas) = match examined {
        None => (files(arguments, here, replicas), true),
        Some(server) => {
            let said = Said { theirs: server.now_micros, asked, known: clock.now_micros() };
            let lease = storage.pace().lease;
            let each = i64::try_from(storage.connections).unwrap_or(i64::MAX);
            let findings = vec![
                serves(&server),
                keeps(&server, is_production),
                clocks::compare("the clock of PostgreSQL", &said, lease),
                connections(i64::from(replicas), each, &server),
            ];
            (findings, server.makes_schemas)
        }
    };
    if !makes_schemas && !storage.no_migrate {
        findings.push(Finding::fail(
            DATABASE,
            "this role may not make schemas, which serve does at its start",
            "GRANT CREATE ON DATABASE … TO this role; or have another role run `tradewind migrate`, and give serve \
             --no-migrate",
        ));
    }
    findings.extend(migrations(&database, here, storage.no_migrate).await);
    findings
}

/// How much is asked of the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// How many processes use it.
    pub(super) replicas: u32,
    /// Whether what must not be in production fails.
    pub(super) is_production: bool,
}

fn unreachable(error: &store::Error) -> Finding {
    Finding::fail(
        DATABASE,
        chain(error),
        "is the server up and its name right, does it let this host in (pg_hba.conf), are user and password those of \
         --database? `psql` with the same URL says the same",
    )
}

fn files(arguments: &Arguments, here: &[Noun], replicas: u32) -> Vec<Finding> {
    let directory = &arguments.storage.place.data;
    let data = directory.display();
    if replicas > 1 {
        return vec![Finding::fail(
            DATABASE,
            format!("{replicas} processes cannot share the SQLite files in {data}"),
            "run one process, or give all of them one PostgreSQL with --database",
        )];
    }
    let names = schemas(here).into_iter().map(|(name, _)| name);
    let refused: Vec<_> = names.filter_map(|name| unusable(directory, name)).collect();
    if refused.is_empty() {
        return vec![Finding::pass(DATABASE, format!("SQLite files in {data}"))];
    }
    refused
}

/// What keeps this user from writing to a file that is there.
fn unusable(directory: &Path, service: &str) -> Option<Finding> {
    let file = directory.join(format!("{service}.db"));
    let error = match File::options().read(true).write(true).open(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => error,
        _ => return None,
    };
    let shown = file.display();
    let advice = format!(
        "let the user that runs serve read and write {shown}, with its -wal and -shm, and all that is beside it"
    );
    Some(Finding::fail(DATABASE, format!("{shown} cannot be opened: {error}"), advice))
}

fn serves(server: &Examined) -> Finding {
    let version = format!("PostgreSQL {}.{}", server.version / 10_000, server.version % 10_000);
    if server.is_standby {
        let found = format!("{version} is a standby, which takes no writes");
        return Finding::fail(DATABASE, found, "name the primary with --database, or promote it");
    }
    let found = format!("{version} answers, with {} clients now", server.connected);
    let advice =
        format!("tests run on {OLDEST} and newer: upgrade the server, then run doctor again");
    Finding::of(DATABASE, Verdict::when(false, server.version / 10_000 < OLDEST), found, advice)
}

/// Whether what the server has said is kept outlives its end.
fn keeps(server: &Examined, is_production: bool) -> Finding {
    if server.forgetful.is_empty() {
        return Finding::pass(
            DURABILITY,
            "PostgreSQL waits for the disk before it says that something is kept",
        );
    }
    let found =
        format!("PostgreSQL may lose orders that were confirmed: {}", server.forgetful.join(", "));
    let advice =
        "set it to on in postgresql.conf, for the role and for the database, and reload the server";
    Finding::of(DURABILITY, Verdict::of_production(is_production), found, advice)
}

/// Whether the connections of all processes fit into those that a server takes, or lets this role have.
fn connections(replicas: i64, each: i64, server: &Examined) -> Finding {
    let limit = server.limit.filter(|limit| *limit < server.connections);
    let takes = limit.unwrap_or(server.connections);
    let by_whom = match limit {
        Some(_) => "that this role or its database may have (CONNECTION LIMIT)",
        None => "that the server takes",
    };
    let raise = if limit.is_some() { "the limit" } else { "max_connections" };
    let of_each = each.saturating_add(BESIDE);
    let most = replicas.saturating_mul(of_each);
    let found = format!(
        "{replicas} × {of_each} (--connections and {BESIDE} to listen) = {most} at most, of {takes} {by_whom}"
    );
    let advice = format!(
        "lower --connections to {}, raise {raise}, or put a pooler in session mode between; a rolling update \
         runs old and new processes at once",
        (takes.saturating_mul(8) / 10 / replicas.max(1)).saturating_sub(BESIDE).max(1)
    );
    let is_tight = most > takes.saturating_mul(8) / 10;
    Finding::of(CONNECTIONS, Verdict::when(most > takes, is_tight), found, advice)
}

async fn migrations(database: &Database, here: &[Noun], no_migrate: bool) -> Vec<Finding> {
    let (mut pending, mut newer, mut ran) = (Vec::new(), Vec::new(), 0);
    let mut findings = Vec::new();
    for (name, migrations) in schemas(here) {
        match database.schema(name, migrations).await {
            Ok(schema) => {
                ran += schema.ran.len();
                pending.extend(schema.pending.iter().map(|it| format!("{name} {it}")));
                newer.extend(schema.newer.iter().map(|it| format!("{name} {it}")));
            }
            Err(error) => {
                let found = format!("the tables of {name}: {}", chain(&error));
                findings.push(Finding::fail(MIGRATIONS, found, advice(&error)));
            }
        }
    }
    if !findings.is_empty() {
        return findings;
    }
    if !newer.is_empty() {
        findings.push(Finding::warn(
            MIGRATIONS,
            format!("a newer version has run {}, which leaves this one working", newer.join(", ")),
            "that is so during an upgrade, and after the way back; a backup made now is restored by that version",
        ));
    }
    let found = format!("{} have not run: {}", pending.len(), pending.join(", "));
    findings.push(match (pending.is_empty(), no_migrate) {
        (true, _) => Finding::pass(MIGRATIONS, format!("all {ran} have run")),
        (false, true) => Finding::fail(MIGRATIONS, found, "run `tradewind migrate` before serve"),
        (false, false) => Finding::warn(
            MIGRATIONS,
            found,
            "run `tradewind migrate`, or leave it to the first process that starts",
        ),
    });
    findings
}

/// What to do where tables cannot be worked with.
fn advice(error: &store::Error) -> &'static str {
    match error {
        store::Error::SchemaNewer { .. } | store::Error::MigrationChanged { .. } => {
            "run the version of tradewind that fits these tables"
        }
        store::Error::Collation { .. } => {
            "make a database as it says, bring over what is in this one with pg_dump and pg_restore, and name the new \
             one with --database"
        }
        _ => {
            "with PostgreSQL, may this role use the schema (GRANT USAGE ON SCHEMA, and its tables)? A SQLite file that \
             is damaged is put aside, and the newest good backup restored: `tradewind restore`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(connections: i64) -> Examined {
        Examined {
            version: 170_005,
            connections,
            limit: None,
            connected: 1,
            now_micros: 0,
            is_standby: false,
            forgetful: Vec::new(),
            makes_schemas: true,
        }
    }

    #[test]
    fn pools_of_all_processes_must_fit_with_some_room_left() {
        assert_eq!(connections(3, 24, &server(97)).verdict, Verdict::Pass);
        assert_eq!(connections(2, 40, &server(97)).verdict, Verdict::Warn);
        let over = connections(4, 24, &server(97));
        assert_eq!(over.verdict, Verdict::Fail);
        assert!(over.advice.is_some_and(|advice| advice.contains("--connections to 18")));
    }

    #[test]
    fn a_role_that_may_have_fewer_connections_than_the_server_takes_is_asked_first() {
        let limited = connections(3, 24, &Examined { limit: Some(50), ..server(97) });

        assert_eq!(limited.verdict, Verdict::Fail);
        assert!(limited.found.contains("of 50 that this role"), "{}", limited.found);
        let wide = connections(3, 24, &Examined { limit: Some(500), ..server(97) });
        assert_eq!(wide.verdict, Verdict::Pass);
    }

    #[test]
    fn a_standby_is_refused_and_an_old_server_told() {
        let old = Examined { version: 140_011, ..server(97) };

        assert_eq!(serves(&Examined { is_standby: true, ..server(97) }).verdict, Verdict::Fail);
        assert_eq!(serves(&old).verdict, Verdict::Warn);
        assert_eq!(serves(&server(97)).verdict, Verdict::Pass);
    }

    #[test]
    fn a_server_that_may_forget_what_it_has_confirmed_is_not_for_production() {
        let forgetful = Examined { forgetful: vec!["fsync = off".into()], ..server(97) };

        assert_eq!(keeps(&forgetful, false).verdict, Verdict::Warn);
        assert_eq!(keeps(&forgetful, true).verdict, Verdict::Fail);
        assert_eq!(keeps(&server(97), true).verdict, Verdict::Pass);
    }
}
