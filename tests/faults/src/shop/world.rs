//! Processes of each service and gateways, which show each other certificates.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use store_testing::{Engine, TestDatabase};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::process::{Process, Signal, command, text};

/// Every service, the gateways last: they are called by none.
pub(crate) const SERVICES: [&str; 8] =
    ["users", "catalog", "cart", "orders", "payments", "ledger", "notifications", "gateway"];
/// How long a process may take to take calls.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const EMAIL: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "let me try this";

/// What a mesh is made of.
pub(crate) struct Plan {
    /// How many processes each service has.
    pub(crate) replicas: usize,
    /// For so many seconds more is a process reached that ends.
    pub(crate) lame_duck: u64,
    /// A PostgreSQL database; without one each process has SQLite databases in its directory.
    pub(crate) database: Option<String>,
    /// Where its processes keep data, when not in a directory of its own.
    pub(crate) data: Option<PathBuf>,
    /// More options for each process.
    pub(crate) more: Vec<String>,
    /// What stands before the command of a process, by its service and number.
    pub(crate) before: Before,
}

/// Words before a command, such as those of `nsenter`.
pub(crate) type Before = Box<dyn Fn(&str, usize) -> Vec<String> + Send + Sync>;

impl Plan {
    /// So many processes of each service, on what their options say.
    pub(crate) fn of(replicas: usize) -> Self {
        Self {
            replicas,
            lame_duck: 1,
            database: None,
            data: None,
            more: Vec::new(),
            before: Box::new(|_, _| Vec::new()),
        }
    }
}

/// A running mesh; its processes and its data are gone when it is dropped.
pub(crate) struct World {
    processes: Vec<Member>,
    directory: TempDir,
    plan: Plan,
    _database: Option<TestDatabase>,
}

/// One process of a service.
struct Member {
    name: &'static str,
    words: Vec<String>,
    /// Where it writes what it logs.
    log: PathBuf,
    admin: SocketAddr,
    /// Where it takes calls: customers' at a gateway, the mesh's at any other.
    at: SocketAddr,
    process: Process,
}

impl World {
    /// Starts two of each on PostgreSQL; a process that ends is reached for so many seconds more.
    pub(crate) async fn start(lame_duck: u64) -> Result<Self> {
        let database = store_testing::database(Engine::Postgres).await;
        let location = Some(database.location());
        let world = Self::planned(Plan { lame_duck, database: location, ..Plan::of(2) }).await?;
        Ok(Self { _database: Some(database), ..world })
    }

    /// Starts all of it, as a plan says.
    pub(crate) async fn planned(plan: Plan) -> Result<Self> {
        let (tradewind, directory) = (tradewind()?, tempfile::tempdir()?);
        let certs = text(&directory.path().join("certs"))?;
        command(&tradewind, &["certs", &certs]).await?;
        let mut places = Vec::new();
        for name in SERVICES {
            for _ in 0..plan.replicas {
                places.push((name, free_address().await?));
            }
        }
        let mut world = Self { processes: Vec::new(), directory, plan, _database: None };
        let replicas = world.plan.replicas;
        for replica in 0..replicas {
            // Migrations are the first one's; the second finds them done.
            let first = world.processes.len();
            for (name, at) in places.iter().copied().skip(replica).step_by(replicas) {
                let admin = free_address().await?;
                let mut words = (world.plan.before)(name, replica);
                words.push(tradewind.clone());
                words.extend(world.serve(name, (at, admin), replica).await?);
                words.extend(["--certs".to_owned(), certs.clone()]);
                words.extend(elsewhere(name, &places));
                let log = world.directory.path().join(format!("{name}-{replica}.log"));
                let process = Process::start_logging(&words, &log)?;
                world.processes.push(Member { name, words, log, admin, at, process });
            }
            for member in &mut world.processes[first..] {
                member.wait_until_ready().await?;
            }
        }
        Ok(world)
    }

    async fn serve(
        &self,
        name: &str,
        (at, admin): (SocketAddr, SocketAddr),
        replica: usize,
    ) -> Result<Vec<String>> {
        let data = self.plan.data.as_deref().unwrap_or(self.directory.path());
        let data = text(&data.join(format!("{name}-{replica}")))?;
        let other = free_address().await?.to_string();
        let (admin, at, lame_duck) =
            (admin.to_string(), at.to_string(), self.plan.lame_duck.to_string());
        let (mesh, edge) = if name == "gateway" { (&other, &at) } else { (&at, &other) };
        let options = [
            ("--data", data.as_str()),
            ("--connections", "8"),
            ("--admin-listen", &admin),
            ("--mesh-listen", mesh),
            ("--listen", edge),
            ("--lame-duck-seconds", &lame_duck),
            // A few customers make the calls of many.
            ("--reads-per-second", "1000000"),
            ("--writes-per-second", "1000000"),
            ("--credentials-per-minute", "1000000"),
        ];
        let mut words = vec!["serve".to_owned(), name.to_owned()];
        words.extend(options.iter().flat_map(|(name, value)| [*name, *value]).map(str::to_owned));
        if let Some(database) = &self.plan.database {
            words.extend(["--database".to_owned(), database.clone()]);
        }
        words.extend_from_slice(&self.plan.more);
        if (name, replica) == ("users", 0) {
            words.extend(["--admin-email", EMAIL, "--admin-password", PASSWORD].map(str::to_owned));
        }
        Ok(words)
    }

    pub(crate) fn gateways(&self) -> Vec<SocketAddr> {
        let gateways = self.processes.iter().filter(|member| member.name == "gateway");
        gateways.map(|member| member.at).collect()
    }

    pub(crate) fn processes(&self) -> usize {
        self.processes.len()
    }

    /// The service of a process.
    pub(crate) fn name(&self, number: usize) -> &'static str {
        self.processes[number].name
    }

    /// Ends a process as Kubernetes does, and starts it again; whether it ended clean.
    pub(crate) async fn restart(&mut self, number: usize) -> Result<bool> {
        let member = &mut self.processes[number];
        member.process.signal(Signal::Terminate).await?;
        let ended = member.process.wait().await?;
        member.start_again()?;
        member.wait_until_ready().await?;
        Ok(ended.success())
    }

    /// Kills a process, as a machine does that is out of memory.
    pub(crate) async fn kill(&mut self, number: usize) -> Result<()> {
        let member = &mut self.processes[number];
        member.process.signal(Signal::Kill).await?;
        member.process.wait().await?;
        Ok(())
    }

    /// Starts a process again that was killed; done when it takes calls.
    pub(crate) async fn start_again(&mut self, number: usize) -> Result<()> {
        let member = &mut self.processes[number];
        member.start_again()?;
        member.wait_until_ready().await
    }

    /// Those that have ended by themselves, with the last that they said.
    pub(crate) fn ended(&mut self) -> Result<Vec<String>> {
        let mut ended = Vec::new();
        for member in &mut self.processes {
            if let Some(status) = member.process.ended()? {
                let log = std::fs::read_to_string(&member.log).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                ended.push(format!("{} ended with {status}: {last}", member.name));
            }
        }
        Ok(ended)
    }

    /// How often a line was logged that holds a text.
    pub(crate) fn logged(&self, text: &str) -> usize {
        let logs = self.processes.iter().map(|member| std::fs::read_to_string(&member.log));
        logs.flatten().map(|log| log.lines().filter(|line| line.contains(text)).count()).sum()
    }
}

impl Member {
    fn start_again(&mut self) -> Result<()> {
        self.process = Process::start_logging(&self.words, &self.log)?;
        Ok(())
    }

    /// Asks until it says that it takes calls, as Kubernetes does.
    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(self.admin).await.unwrap_or(false) {
            if let Some(status) = self.process.ended()? {
                bail!("{} ended with {status}", self.name);
            }
            ensure!(Instant::now() < deadline, "{} is not ready", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// Where the services are that a process does not run.
fn elsewhere(name: &str, places: &[(&'static str, SocketAddr)]) -> Vec<String> {
    let at = |other: &str| {
        let own = places.iter().filter(|(service, _)| *service == other);
        own.map(|(_, address)| address.to_string()).collect::<Vec<_>>().join(",")
    };
    let others = SERVICES.iter().filter(|other| **other != name && **other != "gateway");
    others.flat_map(|other| ["--at".to_owned(), format!("{other}=static:{}", at(other))]).collect()
}

/// The binary beside this one.
pub(crate) fn tradewind() -> Result<String> {
    let tradewind = std::env::current_exe()?.with_file_name("tradewind");
    ensure!(tradewind.exists(), "{} is not built", tradewind.display());
    text(&tradewind)
}

async fn is_ready(admin: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect(admin).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// An address that nothing listens on, below those that outgoing connections take.
async fn free_address() -> Result<SocketAddr> {
    static GIVEN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    for _ in 0..1000 {
        let given = GIVEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = u16::try_from(10_000 + (std::process::id() * 97 + given) % 20_000)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).await.is_ok() {
            return Ok(address);
        }
    }
    None.context("no port is free")
}
