//! A mesh of real processes, in one shape or the other, on one database or the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::Database;
use store_testing::{Engine, TestDatabase};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::http;

/// Every service that has a process of its own in the far shape, besides the gateway.
const SERVICES: [&str; 7] =
    ["users", "catalog", "cart", "orders", "payments", "ledger", "notifications"];
/// How long a process may take to answer, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a process counts of batches of events that went through Redis.
pub(crate) const BY_REDIS: &str = "redis_event_batches_total{way=\"Redis\"} ";

/// Where services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All in one process.
    Near,
    /// Each in its own.
    Far,
}

/// The pairs of shape and database that every journey runs in.
pub(crate) const WORLDS: [(Shape, Engine); 2] =
    [(Shape::Near, Engine::Sqlite), (Shape::Far, Engine::Postgres)];

/// A running mesh; its processes end when it is dropped.
pub(crate) struct World {
    pub(crate) gateway: SocketAddr,
    processes: Vec<Process>,
    pub(crate) directory: TempDir,
    engine: Engine,
    database: TestDatabase,
}

struct Process {
    name: &'static str,
    arguments: Vec<String>,
    admin: SocketAddr,
    child: Child,
}

impl World {
    /// Starts a mesh with the sample shop.
    pub(crate) async fn start(shape: Shape, engine: Engine) -> Self {
        Self::start_with(shape, engine, &[]).await
    }

    /// The same, with more options for each process.
    pub(crate) async fn start_with(shape: Shape, engine: Engine, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = store_testing::database(engine).await;
        let gateway = free_address().await;
        let mut common: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        // Tests come from one address, and many at once.
        for budget in ["--reads-per-second", "--writes-per-second", "--credentials-per-minute"] {
            if more.contains(&budget) {
                continue;
            }
            common.extend([budget.to_owned(), "1000000".to_owned()]);
        }
        // What is sold to a crowd is tested, not how much of a crowd a busy machine lets in.
        common.extend(["--calls-at-once".to_owned(), "0".to_owned()]);
        match engine {
            Engine::Sqlite => {}
            Engine::Postgres => common.extend(["--database".to_owned(), database.location()]),
        }
        let plans = match shape {
            Shape::Near => near(&directory, gateway, &common).await,
            Shape::Far => far(&directory, gateway, &common).await,
        };
        let mut processes = Vec::new();
        for (name, arguments, admin) in plans {
            let child = spawn(&arguments);
            processes.push(Process { name, arguments, admin, child });
        }
        let mut world = Self { gateway, processes, directory, engine, database };
        world.ready().await;
        world
    }

    /// Waits until every process takes calls.
    async fn ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        for process in &mut self.processes {
            while http::status(process.admin, "/readyz").await != Some(200) {
                if let Ok(Some(status)) = process.child.try_wait() {
                    panic!("{} ended with {status}", process.name);
                }
                assert!(Instant::now() < deadline, "{} is not ready", process.name);
                tokio::task::yield_now().await;
            }
        }
    }

    /// The databases of its services, for who looks into them from beside.
    pub(crate) fn database(&self) -> Database {
        match self.engine {
            Engine::Sqlite => Database::sqlite(self.directory.path().join("data")),
            Engine::Postgres => self.database.open_with(2),
        }
    }

    /// Kills the process that runs a service, with SIGKILL.
    pub(crate) async fn kill(&mut self, service: &str) {
        self.process(service).child.kill().await.unwrap();
    }

    /// Starts the process again that ran a service, as it was.
    pub(crate) async fn restart(&mut self, service: &str) {
        let process = self.process(service);
        process.child = spawn(&process.arguments);
        self.ready().await;
    }

    /// Starts another replica of a service, which no other process is told of.
    pub(crate) async fn replicate(&mut self, service: &str, name: &'static str) {
        let mut arguments = self.process(service).arguments.clone();
        for option in ["--mesh-listen", "--listen", "--admin-listen"] {
            if let Some(at) = arguments.iter().position(|argument| argument == option) {
                arguments[at + 1] = free_address().await.to_string();
            }
        }
        let value_of =
            |option| arguments.iter().position(|argument| argument == option).unwrap() + 1;
        let (data, admin) = (value_of("--data"), value_of("--admin-listen"));
        arguments[data].push_str("-replica");
        let admin = arguments[admin].parse().unwrap();
        let child = spawn(&arguments);
        self.processes.push(Process { name, arguments, admin, child });
        self.ready().await;
    }

    /// Where the gateway of a process listens.
    pub(crate) fn gateway_of(&self, service: &str) -> SocketAddr {
        let process = self.processes.iter().find(|process| process.name == service).unwrap();
        let at = process.arguments.iter().position(|argument| argument == "--listen");
        process.arguments[at.unwrap() + 1].parse().unwrap()
    }

    /// A number on a process's page of metrics, by how its line begins; 0 where there is none.
    pub(crate) async fn counts(&self, service: &str, line: &str) -> u64 {
        let process = self.processes.iter().find(|process| process.name == service).unwrap();
        let page = http::text(process.admin, "/metrics").await;
        let found = page.lines().find_map(|it| it.strip_prefix(line));
        found.and_then(|number| number.parse().ok()).unwrap_or_default()
    }

    /// Where a service answers the other processes of the mesh.
    pub(crate) fn place(&self, service: &str) -> String {
        let process = self.processes.iter().find(|process| process.name == service).unwrap();
        let at = process.arguments.iter().position(|argument| argument == "--mesh-listen");
        format!("http://{}", process.arguments[at.unwrap() + 1])
    }

    /// The directory with the certificates of the mesh's services, and one more for a service of someone else's.
    pub(crate) async fn certificate_of(&self, service: &str) -> PathBuf {
        let certs = self.directory.path().join("certs");
        let tradewind = env!("CARGO_BIN_EXE_tradewind");
        let made = Command::new(tradewind).arg("certs").arg(&certs).arg(service).output().await;
        assert!(made.unwrap().status.success());
        certs
    }

    /// The URL of the database, where it is PostgreSQL.
    pub(crate) fn database_url(&self) -> String {
        self.database.location()
    }

    /// The operators' port of the process that runs the gateway.
    pub(crate) fn admin(&self) -> SocketAddr {
        let process = self.processes.iter().find(|process| process.name == "gateway");
        process.unwrap().admin
    }

    /// The process that runs a service.
    pub(crate) fn process_id(&mut self, service: &str) -> Option<u32> {
        self.process(service).child.id()
    }

    fn process(&mut self, service: &str) -> &mut Process {
        let near = self.processes.len() == 1;
        let found = self.processes.iter_mut().find(|process| near || process.name == service);
        found.unwrap_or_else(|| panic!("{service} has no process"))
    }
}

type Plan = (&'static str, Vec<String>, SocketAddr);

async fn near(directory: &TempDir, gateway: SocketAddr, common: &[String]) -> Vec<Plan> {
    let admin = free_address().await;
    let mut arguments = serve(directory.path(), admin);
    arguments.extend(["--demo-shop".to_owned(), "--listen".to_owned(), gateway.to_string()]);
    arguments.extend(administrator());
    arguments.extend_from_slice(common);
    vec![("gateway", arguments, admin)]
}

async fn far(directory: &TempDir, gateway: SocketAddr, common: &[String]) -> Vec<Plan> {
    let certs = directory.path().join("certs");
    let made = Command::new(env!("CARGO_BIN_EXE_tradewind")).arg("certs").arg(&certs).output();
    assert!(made.await.unwrap().status.success());
    let mut places = Vec::new();
    for name in SERVICES {
        places.push((name, free_address().await));
    }
    let mut plans = Vec::new();
    for (name, address) in places.iter().copied().chain([("gateway", gateway)]) {
        let admin = free_address().await;
        let mut arguments = serve(directory.path(), admin);
        arguments.push(name.to_owned());
        let mesh = if name == "gateway" { free_address().await } else { address };
        arguments.extend(["--mesh-listen".to_owned(), mesh.to_string()]);
        arguments.extend(["--listen".to_owned(), address.to_string()]);
        arguments.extend(["--certs".to_owned(), certs.display().to_string()]);
        if name == "users" {
            arguments.extend(administrator());
        }
        for (other, place) in places.iter().filter(|(other, _)| *other != name) {
            arguments.extend(["--at".to_owned(), format!("{other}=http://{place}")]);
        }
        arguments.extend_from_slice(common);
        plans.push((name, arguments, admin));
    }
    plans
}

fn administrator() -> [String; 4] {
    ["--admin-email", "admin@example.com", "--admin-password", "let me try this"].map(str::to_owned)
}

fn serve(data: &Path, admin: SocketAddr) -> Vec<String> {
    let data = data.join("data").display().to_string();
    let admin = admin.to_string();
    ["serve", "--data", &data, "--admin-listen", &admin].map(str::to_owned).to_vec()
}

fn spawn(arguments: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tradewind"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// An address that nothing listens on, and that no other test of this run is given. Its port is below
/// those that outgoing connections take.
pub(crate) async fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id() * 97 + GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + place % 20_000).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).await.is_ok() {
            return address;
        }
    }
}
