//! Replicas of one service, each on a machine of its own, and callers of all of them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use mesh::{Channel, Configs, Target};
use tempfile::TempDir;

use crate::echo::echo_service_client::EchoServiceClient;
use crate::echo::{EchoRequest, policies};
use crate::load::{Caller, Load};
use crate::net::Host;
use crate::process::{Process, Signal, own, text};

/// Callers of a scenario, and how often each makes a call.
const CALLERS: usize = 16;
const EVERY: Duration = Duration::from_millis(8);
/// How long a replica that ends is still reached.
const LAME_DUCK: Duration = Duration::from_millis(1000);

/// Whether calls may be sent twice.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Never.
    Act,
    /// By whoever thinks it useful.
    Read,
}

/// Replicas, by their numbers from one.
pub(crate) struct Fleet {
    pub(crate) replicas: Vec<Replica>,
    directory: TempDir,
}

/// A machine with a replica in it.
pub(crate) struct Replica {
    pub(crate) host: Host,
    number: u8,
    process: Process,
}

impl Fleet {
    pub(crate) async fn start(size: u8) -> Result<Self> {
        Self::start_as(size, "slow 0").await
    }

    /// The same, where each behaves in a way.
    pub(crate) async fn start_as(size: u8, mood: &str) -> Result<Self> {
        let mut fleet = Self { replicas: Vec::new(), directory: tempfile::tempdir()? };
        for number in 1..=size {
            let host = Host::join().await?;
            let process = fleet.process(&host, number, mood).await?;
            fleet.replicas.push(Replica { host, number, process });
        }
        Ok(fleet)
    }

    pub(crate) fn replica(&mut self, number: u8) -> Result<&mut Replica> {
        self.replicas.get_mut(usize::from(number) - 1).context("there is no such replica")
    }

    async fn process(&self, host: &Host, number: u8, mood: &str) -> Result<Process> {
        let mut words = host.there().to_vec();
        let (listen, count) = (host.address().to_string(), number.to_string());
        let calls = text(&self.counted(number))?;
        let lame_duck = LAME_DUCK.as_millis().to_string();
        words.extend([own()?, "replica".to_owned()]);
        let options = [
            ("--listen", listen),
            ("--number", count),
            ("--calls", calls),
            ("--lame-duck-ms", lame_duck),
            ("--mood", mood.to_owned()),
        ];
        words.extend(options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
        let mut process = Process::start(&words)?;
        process.wait_until_ready().await?;
        Ok(process)
    }

    fn counted(&self, number: u8) -> std::path::PathBuf {
        self.directory.path().join(number.to_string())
    }

    /// How many calls have come to a replica, in all of its lives.
    pub(crate) fn calls(&self, number: u8) -> Result<usize> {
        Ok(usize::try_from(std::fs::metadata(self.counted(number))?.len())?)
    }

    /// The same of all of them.
    pub(crate) fn all_calls(&self) -> Result<usize> {
        self.replicas.iter().map(|replica| self.calls(replica.number)).sum()
    }

    /// Starts a replica again that has ended.
    pub(crate) async fn revive(&mut self, number: u8) -> Result<()> {
        let process = self.process(&self.replicas[usize::from(number) - 1].host, number, "slow 0");
        let process = process.await?;
        self.replica(number)?.process = process;
        Ok(())
    }

    /// Ends a replica as an operator does and starts it again; whether it ended clean.
    pub(crate) async fn restart(&mut self, number: u8) -> Result<bool> {
        let replica = self.replica(number)?;
        replica.process.signal(Signal::Terminate).await?;
        let ended = replica.process.wait().await?;
        self.revive(number).await?;
        Ok(ended.success())
    }

    /// Callers of all replicas, once all of them have answered.
    pub(crate) async fn load(&self, kind: Kind) -> Result<Load> {
        let load = self.start_load(kind)?;
        let answered = |by: u32| {
            move |calls: &[crate::load::Call]| calls.iter().any(|call| call.answer == Ok(by))
        };
        for number in 1..=u32::try_from(self.replicas.len())? {
            let seen = load.wait_until(Duration::from_secs(30), answered(number)).await;
            seen.with_context(|| format!("replica {number} was never called"))?;
        }
        Ok(load)
    }

    /// Callers of replicas that need not answer.
    pub(crate) fn start_load(&self, kind: Kind) -> Result<Load> {
        let addresses = self.replicas.iter().map(|replica| replica.host.address());
        let channel = open(&addresses.collect::<Vec<_>>())?;
        Ok(Load::start((0..CALLERS).map(|_| caller(&channel, kind)).collect(), EVERY))
    }
}

impl Replica {
    pub(crate) async fn be(&mut self, mood: &str) -> Result<()> {
        self.process.ask(mood).await
    }

    pub(crate) async fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal).await
    }

    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.process.signal(Signal::Kill).await?;
        self.process.wait().await?;
        Ok(())
    }
}

fn open(addresses: &[SocketAddr]) -> Result<Channel> {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let target: Target = format!("static:{}", addresses.join(",")).parse()?;
    Ok(mesh::channel::dial(target, policies()?, Configs::default()))
}

fn caller(channel: &Channel, kind: Kind) -> Caller {
    let client = EchoServiceClient::new(channel.clone());
    Box::new(move || {
        let mut client = client.clone();
        Box::pin(async move {
            let answer = match kind {
                Kind::Act => client.act(EchoRequest {}).await,
                Kind::Read => client.read(EchoRequest {}).await,
            };
            answer.map(|answer| answer.into_inner().replica).map_err(|status| status.code())
        })
    })
}
