//! Networks of their own: the caller's, with a bridge in it, and one for each replica, plugged into that bridge.
//!
//! The caller's is made by `unshare` around its process, a replica's by one that holds it, so that a replica
//! can be killed without its network. They have no names, and are gone with their processes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result};

use crate::process::{Process, command, own};

const BRIDGE: &str = "mesh";
/// The port of every replica, each at an address of its own.
const PORT: u16 = 7000;

/// The programs that make networks.
const TOOLS: [(&str, &[&str]); 2] = [
    ("nsenter", &["--version"]),
    (
        "setpriv",
        &[
            "--pdeathsig",
            "KILL",
            "--",
            "unshare",
            "--net",
            "--",
            "ip",
            "link",
            "add",
            BRIDGE,
            "type",
            "bridge",
        ],
    ),
];

/// Why no networks can be made here, where that is so.
pub(crate) async fn missing() -> Option<String> {
    for (name, words) in TOOLS {
        if let Err(error) = command(name, words).await {
            return Some(format!("{error:#}"));
        }
    }
    None
}

/// Makes the bridge in this process's network.
pub(crate) async fn bridge() -> Result<()> {
    ip(&["link", "set", "lo", "up"]).await?;
    ip(&["link", "add", BRIDGE, "type", "bridge"]).await?;
    ip(&["address", "add", "10.77.0.1/24", "dev", BRIDGE]).await?;
    ip(&["link", "set", BRIDGE, "up"]).await
}

/// How many connections were ever asked for in this process's network.
pub(crate) fn dials() -> Result<usize> {
    let table = std::fs::read_to_string("/proc/self/net/snmp")?;
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (heads, counts) = (lines.next().context("no heads")?, lines.next().context("no counts")?);
    let at = heads.split(' ').position(|head| head == "ActiveOpens");
    Ok(counts.split(' ').nth(at.context("no such count")?).context("no count")?.parse()?)
}

/// The machine of a replica.
pub(crate) struct Host {
    /// No other machine ever had it: the kernel takes its time to forget those of an earlier scenario.
    number: u8,
    holder: Process,
}

impl Host {
    /// A network of its own, plugged into the bridge.
    pub(crate) async fn join() -> Result<Self> {
        static JOINED: AtomicU8 = AtomicU8::new(0);
        let number = JOINED.fetch_add(1, Ordering::Relaxed);
        let own = own()?;
        let mut holder = Process::start(&["unshare", "--net", "--", &own, "hold"])?;
        holder.wait_until_ready().await?;
        let (host, id) = (Self { number, holder }, |host: &Self| host.holder.id().to_string());
        let (near, there) = (host.plug(), id(&host));
        ip(&["link", "add", &near, "type", "veth", "peer", "name", "eth0", "netns", &there])
            .await?;
        ip(&["link", "set", &near, "up"]).await?;
        host.heal().await?;
        host.ip_there(&["link", "set", "lo", "up"]).await?;
        host.ip_there(&["link", "set", "eth0", "up"]).await?;
        host.appear().await?;
        Ok(host)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([10, 77, 0, 10 + self.number], PORT))
    }

    /// What stands before a command that runs there.
    pub(crate) fn there(&self) -> [String; 3] {
        let network = format!("--net=/proc/{}/ns/net", self.holder.id());
        ["nsenter".to_owned(), network, "--".to_owned()]
    }

    /// Pulls the plug: what is sent either way is lost, and nobody is told.
    pub(crate) async fn cut(&self) -> Result<()> {
        ip(&["link", "set", &self.plug(), "nomaster"]).await
    }

    pub(crate) async fn heal(&self) -> Result<()> {
        ip(&["link", "set", &self.plug(), "master", BRIDGE]).await
    }

    /// Takes its address away, as a machine that is gone: nobody ends its connections.
    pub(crate) async fn vanish(&self) -> Result<()> {
        self.ip_there(&["address", "flush", "dev", "eth0"]).await
    }

    /// Gives it its address.
    pub(crate) async fn appear(&self) -> Result<()> {
        let address = format!("{}/24", self.address().ip());
        self.ip_there(&["address", "add", &address, "dev", "eth0"]).await
    }

    async fn ip_there(&self, words: &[&str]) -> Result<()> {
        let [enter, network, end] = self.there();
        let mut all = vec![network.as_str(), end.as_str(), "ip"];
        all.extend_from_slice(words);
        command(&enter, &all).await
    }

    fn plug(&self) -> String {
        format!("replica{}", self.number)
    }
}

async fn ip(words: &[&str]) -> Result<()> {
    command("ip", words).await
}
