//! Processes that are measured, and what they cost.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use http::StatusCode;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::rest;

/// How long a process may take until it answers, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const ASKED_EVERY: Duration = Duration::from_millis(1);

/// A process; it ends when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// Where a mesh's process tells its operators how it is.
    admin: SocketAddr,
}

impl Process {
    /// Starts `tradewind` and waits until it takes calls.
    pub(crate) async fn start(program: &Path, arguments: &[String]) -> Result<Self> {
        let admin = free_address().await?;
        let child = Command::new(program)
            .args(arguments)
            .args(["--admin-listen", &admin.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("{} cannot be run; build it with `cargo build -p node`", program.display())
            })?;
        let mut process = Self { child, admin };
        process.answers(admin, "/readyz").await?;
        Ok(process)
    }

    /// Waits until it answers a path with success.
    pub(crate) async fn answers(&mut self, address: SocketAddr, path: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            match rest::get(address, path).await {
                Ok((StatusCode::OK, _)) => return Ok(()),
                Ok(_) | Err(_) => tokio::time::sleep(ASKED_EVERY).await,
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("tradewind ended with {status}");
            }
            ensure!(began.elapsed() < PATIENCE, "tradewind does not answer {path} at {address}");
        }
    }

    /// Ends it at once.
    pub(crate) async fn end(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Its number, for tools that look at it from outside.
    pub(crate) fn id(&self) -> Result<u32> {
        self.child.id().context("the process has ended")
    }

    /// A line of what the kernel says of it, in megabytes: `VmRSS` now, `VmHWM` at most so far.
    pub(crate) fn megabytes(&self, key: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find(|line| line.starts_with(key)).context("no such line")?;
        let number = line.split_whitespace().nth(1).context("no number")?;
        Ok(number.parse::<f64>()? / 1024.0)
    }

    /// How many answers to an RPC it has given from memory.
    pub(crate) async fn kept_answers(&self, method: &str) -> Result<f64> {
        let (_, page) = rest::get(self.admin, "/metrics").await?;
        let page = String::from_utf8_lossy(&page).into_owned();
        let start = format!("mesh_response_cache_hits_total{{grpc_method=\"{method}\"}}");
        let line = page.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(Ok(0.0), |number| Ok(number.trim().parse()?))
    }
}

/// A peer of this program's own in another process, which says its address first.
pub(crate) async fn peer(arguments: &[&str]) -> Result<(Child, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("peer")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let said = child.stdout.take().context("a peer has no output")?;
    let line = BufReader::new(said).lines().next_line().await?;
    let address = line.context("a peer ended before it said its address")?.parse()?;
    Ok((child, address))
}

/// An address that nothing listens on, below the ports that outgoing connections take.
pub(crate) async fn free_address() -> Result<SocketAddr> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id() * 89 + GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + place % 20_000)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).await.is_ok() {
            return Ok(address);
        }
    }
}
