//! What a doctor finds, with real servers that are well, and with each of them in trouble.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mesh_testing::otlp::Collector;
use serde_json::Value;
use store::backup::change_schema;
use store_testing::{Engine, Redis, TestDatabase};
use tokio::process::Command;

use crate::world::{Shape, World, free_address};

async fn tradewind(line: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
    let run = command.args(line).output().await.unwrap();
    let said = if run.stdout.is_empty() { run.stderr } else { run.stdout };
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// What was found, in the order in which it was looked for.
#[derive(Debug)]
pub(crate) struct Report {
    passed: bool,
    findings: Vec<Value>,
}

impl Report {
    /// The verdicts of a check, each with what was found.
    pub(crate) fn of(&self, check: &str) -> Vec<(&str, &str)> {
        let of_check = self.findings.iter().filter(|finding| finding["check"] == check);
        of_check
            .map(|it| (it["verdict"].as_str().unwrap(), it["found"].as_str().unwrap()))
            .collect()
    }

    /// Whether a check has failed for what these words say, with something to do about it.
    #[track_caller]
    pub(crate) fn fails(&self, check: &str, words: &str) {
        let failed = self.findings.iter().find(|finding| {
            let says = finding["found"].as_str().unwrap().contains(words);
            finding["check"] == check && finding["verdict"] == "fail" && says
        });
        let failed = failed.unwrap_or_else(|| panic!("{check}: {words}: {:#?}", self.findings));
        assert!(failed["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{failed}");
        assert!(!self.passed);
    }

    /// Whether a check has passed, each time.
    #[track_caller]
    pub(crate) fn passes(&self, check: &str) {
        let found = self.of(check);
        assert!(!found.is_empty(), "{check} was not looked at");
        assert!(found.iter().all(|(verdict, _)| *verdict == "pass"), "{found:?}");
    }
}

pub(crate) async fn doctor(line: &[&str]) -> Report {
    let (passed, said) = tradewind(&[&["doctor", "--json"], line].concat()).await;
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(report["passed"], passed, "{said}");
    Report { passed, findings: report["findings"].as_array().unwrap().clone() }
}

/// A folder for data, and a database whose tables are there.
async fn ready() -> (tempfile::TempDir, TestDatabase) {
    let (folder, database) =
        (tempfile::tempdir().unwrap(), store_testing::database(Engine::Postgres).await);
    let (passed, said) = tradewind(&["migrate", "--database", &database.location()]).await;
    assert!(passed, "{said}");
    (folder, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_that_has_all_it_needs_passes() {
    let (folder, database) = ready().await;
    let redis = Redis::start();
    assert!(redis.ask("CONFIG SET maxmemory 100mb").contains("OK"));
    assert!(redis.ask("CONFIG SET maxmemory-policy volatile-lru").contains("OK"));
    let collector = Collector::start().unwrap();
    let data = folder.path().display().to_string();
    let (database, redis, otlp) = (database.location(), redis.url(), collector.address());

    let report =
        doctor(&["--data", &data, "--database", &database, "--redis", &redis, "--otlp", &otlp])
            .await;

    assert!(report.passed, "{:#?}", report.findings);
    for check in ["configuration", "database", "connections", "migrations", "redis", "collector"] {
        report.passes(check);
    }
    assert_eq!(report.of("clock").len(), 2, "{:#?}", report.findings);
    report.passes("clock");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "it leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serve_would_refuse_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();

    let places = doctor(&["orders", "--data", &data]).await;
    let kept = doctor(&["--data", &data, "--keep-delivered-days", "40"]).await;

    places.fails("configuration", "users, catalog");
    kept.fails("configuration", "--keep-delivered-days is 40");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_or_not_ready_or_too_small_is_named() {
    let (folder, database) = ready().await;
    let empty = store_testing::database(Engine::Postgres).await;
    let data = folder.path().display().to_string();
    let nowhere = format!("postgres://u:hush@{}/shop", free_address().await);

    let absent = doctor(&["--data", &data, "--database", &nowhere]).await;
    let small =
        doctor(&["--data", &data, "--database", &database.location(), "--replicas", "500"]).await;
    let old = doctor(&["--data", &data, "--database", &empty.location(), "--no-migrate"]).await;
    let shared = doctor(&["--data", &data, "--replicas", "2"]).await;

    absent.fails("database", "cannot be reached");
    assert!(!format!("{:?}", absent.findings).contains("hush"), "{:?}", absent.findings);
    small.fails("connections", "500 × 25");
    old.fails("migrations", "orders 0001_orders");
    shared.fails("database", "2 processes cannot share");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_role_may_not_do_and_what_the_server_may_forget_is_named() {
    let (folder, database) = ready().await;
    let (data, url) = (folder.path().display().to_string(), database.location());
    let role = format!("limited_{}", std::process::id());
    let make = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 10");
    change_schema(&url, "public", &make).await.unwrap();
    let limited = as_user(&url, &role);

    let own = doctor(&["--data", &data, "--database", &limited]).await;
    let kept = doctor(&["--data", &data, "--database", &limited, "--no-migrate"]).await;
    let trial = doctor(&["--data", &data, "--database", &url]).await;
    let shop = doctor(&["--data", &data, "--database", &url, "--production"]).await;

    own.fails("database", "may not make schemas");
    own.fails("connections", "of 10 that this role");
    assert!(kept.of("database").iter().all(|(verdict, _)| *verdict == "pass"), "{kept:?}");
    kept.fails("migrations", "the tables of orders");
    // The server of the tests waits for no disk.
    assert_eq!(trial.of("durability")[0].0, "warn", "{trial:?}");
    shop.fails("durability", "fsync = off");
    change_schema(&url, "public", &format!("DROP ROLE {role}")).await.unwrap();
}

/// The same database, as another role sees it.
fn as_user(url: &str, role: &str) -> String {
    let (place, options) = url.split_once('?').unwrap_or((url, ""));
    let options = options.split('&').filter(|it| !it.starts_with("user=") && !it.is_empty());
    let role = format!("user={role}");
    let options = options.chain([role.as_str()]).collect::<Vec<_>>().join("&");
    format!("{place}?{options}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sqlite_that_is_damaged_or_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let (passed, said) = tradewind(&["migrate", "--data", &data]).await;
    assert!(passed, "{said}");
    fs::write(folder.path().join("orders.db"), "this is no database").unwrap();
    fs::remove_file(folder.path().join("cart.db")).unwrap();
    fs::create_dir(folder.path().join("cart.db")).unwrap();

    let report = doctor(&["--data", &data]).await;

    report.fails("migrations", "orders");
    report.fails("database", "cart.db cannot be opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_next_backup_lacks_is_named() {
    let (folder, database) = ready().await;
    let (data, url) = (folder.path().display().to_string(), database.location());
    let nowhere = folder.path().join("none").display().to_string();

    let report = doctor(&[
        "--data",
        &data,
        "--database",
        &url,
        "--backup-to",
        "/dev/null",
        "--postgres-programs",
        &nowhere,
    ])
    .await;

    report.fails("disk", "/dev/null cannot be written to");
    report.fails("backups", "there is no pg_dump");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_not_there_or_lets_events_go_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let redis = Redis::start();
    assert!(redis.ask("CONFIG SET maxmemory-policy allkeys-lru").contains("OK"));
    let nowhere = format!("redis+unix://{}/none.sock", folder.path().display());

    let evicts = doctor(&["--data", &data, "--redis", &redis.url()]).await;
    let absent = doctor(&["--data", &data, "--redis", &nowhere]).await;
    let none = doctor(&["--data", &data, "--redis", "http://redis"]).await;

    evicts.fails("redis", "allkeys-lru");
    absent.fails("redis", "does not answer");
    none.fails("redis", "--redis");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_answer_is_named_among_those_that_do() {
    let mut world = World::start(Shape::Far, Engine::Postgres).await;
    let certs = world.directory.path().join("certs").display().to_string();
    let names = ["users", "catalog", "cart", "orders", "payments", "ledger", "notifications"];
    let places: Vec<_> = names.iter().map(|name| format!("{name}={}", world.place(name))).collect();
    let mut line = vec!["gateway", "--certs", certs.as_str()];
    for place in &places {
        line.extend(["--at", place]);
    }

    let well = doctor(&line).await;
    world.kill("orders").await;
    let without = doctor(&line).await;

    well.passes("peers");
    assert_eq!(well.of("peers").len(), names.len(), "{:#?}", well.findings);
    assert_eq!(well.of("clock").len(), names.len(), "{:#?}", well.findings);
    without.fails("peers", "orders at http://");
    let answer = without.of("peers").into_iter().filter(|(verdict, _)| *verdict == "pass");
    assert_eq!(answer.count(), names.len() - 1, "{:#?}", without.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let nowhere = format!("http://{}", free_address().await);

    let report = doctor(&["--data", &data, "--otlp", &nowhere]).await;

    report.fails("collector", "no collector answers");
}

async fn certs(directory: &Path, days: &str) -> String {
    let directory = directory.display().to_string();
    let (passed, said) = tradewind(&["certs", &directory, "--days", days]).await;
    assert!(passed, "{said}");
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_end_or_that_nobody_believes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let good = certs(&folder.path().join("good"), "90").await;
    let short = certs(&folder.path().join("short"), "2").await;
    let other = certs(&folder.path().join("other"), "90").await;
    fs::copy(folder.path().join("good/ca.pem"), folder.path().join("other/ca.pem")).unwrap();
    let mixed = certs(&folder.path().join("mixed"), "90").await;
    fs::copy(folder.path().join("mixed/cart.pem"), folder.path().join("mixed/users.pem")).unwrap();
    let look = |certs: String| {
        let data = data.clone();
        async move { doctor(&["--data", &data, "--certs", &certs]).await }
    };

    let (good, short, other, mixed) =
        (look(good).await, look(short).await, look(other).await, look(mixed).await);

    good.passes("certificates");
    assert_eq!(good.of("certificates").len(), 9, "{:#?}", good.findings);
    assert!(short.of("certificates").iter().any(|(verdict, _)| *verdict == "warn"));
    other.fails("certificates", "not believed");
    mixed.fails("certificates", "users");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_browsers_is_looked_at_with_its_names_and_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let certs = certs(&folder.path().join("certs"), "90").await;
    let (cert, key) = (format!("{certs}/gateway.pem"), format!("{certs}/gateway-key.pem"));
    let another = format!("{certs}/orders-key.pem");

    let unknown = doctor(&["--data", &data, "--tls-cert", &cert, "--tls-key", &key]).await;
    let torn = doctor(&["--data", &data, "--tls-cert", &cert, "--tls-key", &another]).await;

    let found = unknown.of("certificates");
    assert!(found[0].0 == "warn" && found[0].1.contains("localhost"), "{found:?}");
    torn.fails("certificates", "orders-key.pem");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_everybody_can_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let certs = certs(&folder.path().join("certs"), "90").await;
    let key = folder.path().join("certs/orders-key.pem");

    let before = doctor(&["--data", &data, "--certs", &certs]).await;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let after = doctor(&["--data", &data, "--certs", &certs]).await;

    assert!(before.passed, "{:#?}", before.findings);
    after.fails("keys", "orders-key.pem has mode 644");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_cannot_be_written_to_is_named() {
    let report = doctor(&["--data", "/dev/null"]).await;

    report.fails("disk", "/dev/null cannot be written to");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_trying_things_out_fails_where_production_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let backups = folder.path().join("backups").display().to_string();
    let trial = [
        "--data",
        &data,
        "--demo-shop",
        "--development",
        "--admin-email",
        "admin@example.com",
        "--admin-password",
        "password",
        "--allowed-origins",
        "*",
        "--backup-to",
        &backups,
        "--listen",
        "0.0.0.0:8080",
    ];

    let warned = doctor(&trial).await;
    let refused = doctor(&[&trial[..], &["--production"]].concat()).await;

    assert!(warned.passed, "{:#?}", warned.findings);
    for words in
        ["--demo-shop", "--development", "sample shop", "--admin-password", "--smtp", "origin"]
    {
        refused.fails("production", words);
    }
    refused.fails("backups", "holds no good backup");
    assert!(
        refused
            .of("production")
            .contains(&("warn", "the gateway speaks plain HTTP on 0.0.0.0:8080"))
    );
    assert_eq!(refused.of("sampling")[0].0, "warn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_with_a_fresh_backup_is_ready_for_production() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let backups = folder.path().join("backups").display().to_string();
    let collector = Collector::start().unwrap();
    for line in [&["migrate", "--data", &data][..], &["backup", "--data", &data, "--to", &backups]]
    {
        let (passed, said) = tradewind(line).await;
        assert!(passed, "{said}");
    }

    let report = doctor(&[
        "--production",
        "--data",
        &data,
        "--backup-to",
        &backups,
        "--smtp",
        "smtp://127.0.0.1:1025",
        "--otlp",
        &collector.address(),
    ])
    .await;

    assert!(report.passed, "{:#?}", report.findings);
    for check in ["production", "backups", "sampling", "migrations"] {
        report.passes(check);
    }
}
