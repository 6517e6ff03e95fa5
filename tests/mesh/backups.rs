//! A shop that is copied while people buy, lost, and brought back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use store_testing::Engine;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::customer::{MERCHANT, Person, order};
use crate::sample::product;
use crate::world::{Shape, World};

/// A running mesh on one database, and a place for its backups.
struct Shop {
    world: World,
    place: TempDir,
}

impl Shop {
    async fn open(engine: Engine) -> Self {
        Self::open_with(engine, &[]).await
    }

    async fn open_with(engine: Engine, more: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let world = World::start_with(Shape::Near, engine, more).await;
        Self { world, place }
    }

    fn backups(&self) -> String {
        self.place.path().join("backups").display().to_string()
    }

    /// How a command is told where the services of this shop remember.
    fn remembered(&self, engine: Engine) -> Vec<String> {
        match engine {
            Engine::Sqlite => vec!["--data".into(), data(&self.world).display().to_string()],
            Engine::Postgres => vec!["--database".into(), self.world.database_url()],
        }
    }

    /// Makes a backup; answers its directory.
    async fn back_up(&self, engine: Engine) -> PathBuf {
        let before = listed(Path::new(&self.backups()));
        let mut line = vec!["backup".to_owned(), "--to".to_owned(), self.backups()];
        line.extend(self.remembered(engine));
        must(&line).await;
        let mut made = listed(Path::new(&self.backups()));
        made.retain(|backup| !before.contains(backup));
        assert_eq!(made.len(), 1, "{made:?}");
        made.remove(0)
    }
}

fn data(world: &World) -> PathBuf {
    world.directory.path().join("data")
}

fn listed(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(|it| it.is_dir()).collect();
    found.sort();
    found
}

async fn run(line: &[impl AsRef<std::ffi::OsStr>]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
    let run = command.args(line).envs(MERCHANT).output().await.unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

async fn must(line: &[String]) -> String {
    let (passed, said) = run(line).await;
    assert!(passed, "{line:?}: {said}");
    said
}

async fn verified(backup: &Path) -> (bool, String) {
    run(&["backup".as_ref(), "verify".as_ref(), backup.as_os_str()]).await
}

/// Buys one thing after another until it is told to stop; how many orders were answered.
fn buying(guest: Person, variant: String) -> (JoinHandle<u32>, tokio::sync::oneshot::Sender<()>) {
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let buys = tokio::spawn(async move {
        let mut bought = 0;
        while stopped.try_recv().is_err() {
            let key = format!("order-{bought}");
            let method = if bought % 3 == 2 { "sim_declined" } else { "sim_ok" };
            let placed = order(&[(&variant, 1)], method);
            assert_eq!(guest.post_once("/v1/orders", &key, placed).await.status, 200);
            bought += 1;
        }
        bought
    });
    (buys, stop)
}

/// A backup that was made while people bought; how many orders there were before it, and after.
async fn amid_orders(shop: &Shop, engine: Engine) -> (PathBuf, u32) {
    let merchant = Person::merchant(shop.world.gateway).await;
    let variant = product(&merchant, "kept", 100_000).await;
    let guest = Person::guest(shop.world.gateway).await;
    let (buys, stop) = buying(guest, variant);
    let path = "/v1/orders?pageSize=1000";
    merchant.get_until(path, |it| it.pointer("/orders/9").is_some()).await;
    let backup = shop.back_up(engine).await;
    stop.send(()).unwrap();
    (backup, buys.await.unwrap())
}

/// What the audit of a shop says, once all that goes on by itself has gone on.
async fn audited(world: &World) -> Value {
    let url = format!("http://{}", world.gateway);
    let line = ["audit", "--url", &url, "--json", "--settling", "0", "--wait", "40"];
    let (_, said) = run(&line).await;
    let report: Value =
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    report[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_on_sqlite_goes_on_from_a_backup_that_was_made_while_people_bought() {
    let mut shop = Shop::open(Engine::Sqlite).await;
    let (backup, bought) = amid_orders(&shop, Engine::Sqlite).await;
    assert!(verified(&backup).await.0);
    shop.world.kill("orders").await;

    let data = data(&shop.world).display().to_string();
    let restore = ["restore", &backup.display().to_string(), "--data", &data].map(str::to_owned);
    let (passed, said) = run(&restore).await;
    assert!(!passed && said.contains("is not empty"), "{said}");
    let said = must(&[restore.to_vec(), vec!["--replace".into()]].concat()).await;
    assert!(said.contains("what was there is"), "{said}");
    shop.world.restart("orders").await;

    let report = audited(&shop.world).await;
    let orders = report["orders"].as_u64().unwrap();
    assert!((10..=u64::from(bought)).contains(&orders), "{orders} of {bought}");
    assert_eq!(report["findings"], serde_json::json!([]), "{report}");
    still_sells(&shop.world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_on_postgresql_is_brought_back_as_it_was_at_one_moment() {
    let mut shop = Shop::open(Engine::Postgres).await;
    let (backup, bought) = amid_orders(&shop, Engine::Postgres).await;
    shop.world.kill("orders").await;

    let database = shop.world.database_url();
    let from = backup.display().to_string();
    let restore = ["restore", &from, "--database", &database].map(str::to_owned);
    let (passed, said) = run(&restore).await;
    assert!(!passed && said.contains("has the schemas"), "{said}");
    let said = must(&[restore.to_vec(), vec!["--replace".into()]].concat()).await;
    assert!(said.contains("orders_before_"), "{said}");
    shop.world.restart("orders").await;

    let report = audited(&shop.world).await;
    assert_eq!(report["findings"], serde_json::json!([]), "{report}");
    let orders = report["orders"].as_u64().unwrap();
    assert!((10..=u64::from(bought)).contains(&orders), "{orders} of {bought}");
    still_sells(&shop.world).await;
}

/// Holds that a shop finds and sells what it sold before.
async fn still_sells(world: &World) {
    let guest = Person::guest(world.gateway).await;
    let found = "/v1/products:search?query=kept";
    let found = guest.get_until(found, |it| it.pointer("/products/0").is_some()).await;
    let variant = found.text("/products/0/variants/0/id");
    let placed = guest.post_once("/v1/orders", "after", order(&[(&variant, 1)], "sim_ok")).await;
    assert_eq!(placed.text("/order/state"), "STATE_CONFIRMED", "{placed:?}");
}

/// A backup put wrong: how, and what must be said of it.
type Harm = (fn(&Path), &'static str);

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    let place = bytes.len() * at / 100;
    bytes[place] ^= 1;
    fs::write(file, bytes).unwrap();
}

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

fn edit(backup: &Path, from: &str, to: &str) {
    let file = backup.join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_backup_is_said_with_the_file_and_what_differs() {
    for (engine, end) in [(Engine::Sqlite, "db"), (Engine::Postgres, "pgdump")] {
        let shop = Shop::open(engine).await;
        let good = shop.back_up(engine).await;
        let (passed, said) = verified(&good).await;
        assert!(passed && said.contains("is good"), "{said}");
        let harms: [Harm; 8] = [
            (|it| flip(&database(it, "orders"), 50), "SHA-256"),
            (|it| flip(&database(it, "ledger"), 99), "SHA-256"),
            (|it| cut(&database(it, "orders")), "bytes, and the manifest says"),
            (|it| fs::remove_file(database(it, "users")).unwrap(), "is missing"),
            (|it| edit(it, "\"format\": 1", "\"format\": 2"), "has format 2"),
            (|it| edit(it, "\"orders\": 0", "\"orders\": 1"), "its seal is"),
            (|it| flip(&it.join("manifest.json"), 0), "is no manifest"),
            (|it| fs::remove_file(it.join("manifest.json")).unwrap(), "cannot be read"),
        ];

        for (harm, expected) in harms {
            let harmed = shop.place.path().join("harmed");
            copy(&good, &harmed);
            harm(&harmed);

            let (passed, said) = verified(&harmed).await;
            assert!(!passed && said.contains(expected), "{engine:?} {expected}: {said}");
            assert!(said.contains(&harmed.display().to_string()), "{engine:?}: {said}");
            let empty = shop.place.path().join("empty").display().to_string();
            let line = ["restore", &harmed.display().to_string(), "--data", &empty];
            assert!(!run(&line).await.0, "{engine:?} {expected}");
            assert!(!Path::new(&empty).exists(), "{engine:?} {expected}: it is left alone");
            fs::remove_dir_all(&harmed).unwrap();
        }
        assert!(database(&good, "orders").extension().is_some_and(|it| it == end));
    }
}

/// The file of a service in a backup.
fn database(backup: &Path, service: &str) -> PathBuf {
    let files = [format!("{service}.db"), format!("{service}.pgdump")];
    let files = files.map(|file| backup.join(file));
    files.into_iter().find(|file| file.exists()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_its_owners_alone_and_says_what_it_holds() {
    let shop = Shop::open(Engine::Sqlite).await;
    let merchant = Person::merchant(shop.world.gateway).await;
    product(&merchant, "kept", 5).await;

    let backup = shop.back_up(Engine::Sqlite).await;

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&backup), 0o700);
    for entry in fs::read_dir(&backup).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    let manifest = fs::read(backup.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let services = manifest["services"].as_array().unwrap();
    assert_eq!(services.len(), 7, "{manifest}");
    let catalog = services.iter().find(|service| service["name"] == "catalog").unwrap();
    assert!(catalog["rows"]["products"].as_i64() > Some(0), "{catalog}");
    assert!(catalog["migrations"].to_string().contains("0003_stock"), "{catalog}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_a_server_works_on_is_not_replaced() {
    let shop = Shop::open(Engine::Sqlite).await;
    let backup = shop.back_up(Engine::Sqlite).await.display().to_string();
    let data = data(&shop.world);

    let line = ["restore", &backup, "--replace", "--data", &data.display().to_string()];
    let (passed, said) = run(&line).await;

    assert!(!passed && said.contains("is open in another process"), "{said}");
    assert_eq!(listed(shop.world.directory.path()), [data]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_the_newest_backups_that_it_makes_by_itself() {
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backups");
    let schedule = ["--backup-every", "1s", "--keep-backups", "2"];
    let options = [&["--backup-to", to.to_str().unwrap()][..], &schedule].concat();
    let shop = Shop::open_with(Engine::Sqlite, &options).await;
    let merchant = Person::merchant(shop.world.gateway).await;

    let first = loop {
        match listed(&to).into_iter().find(|it| it.extension().is_none()) {
            Some(first) => break first,
            None => _ = merchant.get("/v1/orders").await,
        }
    };
    // One that is not good, and older than all: it goes with the first that is too many.
    let bad = to.join("tradewind-20000101T000000Z");
    fs::create_dir(&bad).unwrap();
    while first.exists() || bad.exists() {
        merchant.get("/v1/orders").await;
    }

    let kept: Vec<_> = listed(&to).into_iter().filter(|it| it.extension().is_none()).collect();
    assert!((2..=3).contains(&kept.len()), "{kept:?}");
    let page = crate::http::text(shop.world.admin(), "/metrics").await;
    assert!(page.contains("backup_made_total"), "{page}");
    assert!(page.contains("backup_failed_total 0"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_replicas_that_share_a_redis_one_makes_the_backups_until_it_dies() {
    let redis = store_testing::Redis::start();
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("backups").display().to_string();
    let url = redis.url();
    let options = ["--redis", &url, "--backup-to", &to, "--backup-every", "1s"];
    let mut world = World::start_with(Shape::Near, Engine::Postgres, &options).await;
    world.replicate("gateway", "replica").await;
    let made = "backup_made_total ";

    while world.counts("gateway", made).await < 3 {
        assert_eq!(world.counts("replica", made).await, 0);
    }
    let (passed, alive) = run(&["replicas", "--redis", &url]).await;
    assert!(passed && alive.matches("orders ").count() == 2, "{alive}");
    world.kill("gateway").await;

    while world.counts("replica", made).await < 2 {
        tokio::task::yield_now().await;
    }
    let is_made = |it: &PathBuf| it.is_dir() && it.extension().is_none();
    let newest = listed(Path::new(&to)).into_iter().filter(is_made).max().unwrap();
    let (passed, said) = verified(&newest).await;
    assert!(passed, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_is_missing_or_too_old_is_said_with_what_to_do() {
    let shop = Shop::open(Engine::Postgres).await;
    let programs = shop.place.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let mut line = vec!["backup".to_owned(), "--to".to_owned(), shop.backups()];
    line.extend(shop.remembered(Engine::Postgres));
    line.extend(["--postgres-programs".to_owned(), programs.display().to_string()]);

    let (passed, said) = run(&line).await;
    assert!(!passed && said.contains("there is no pg_dump"), "{said}");
    assert!(said.contains("postgresql-client"), "{said}");

    let old = programs.join("pg_dump");
    fs::write(&old, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let (passed, said) = run(&line).await;
    assert!(!passed && said.contains("is of PostgreSQL 9, and the server is of"), "{said}");
    assert!(listed(Path::new(&shop.backups())).is_empty(), "nothing is left of it");
}
