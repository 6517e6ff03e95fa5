//! A replica: a mesh of one service, which behaves as it is told on its input.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use mesh::limits::Limits;
use mesh::serve::{Config, Drain, Ended};
use mesh::{CancellationToken, Mesh, Request, Response, Service, Status};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use crate::echo::echo_service_server::{EchoService, EchoServiceServer};
use crate::echo::{DESCRIPTORS, EchoRequest, EchoResponse};
use crate::process::{self, READY};
use crate::say;

/// Where and what a replica is.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    number: u32,
    /// A file that has a byte for every call that came: it outlives whoever is killed.
    #[arg(long)]
    calls: PathBuf,
    #[arg(long)]
    lame_duck_ms: u64,
    #[arg(long, default_value = "slow 0")]
    mood: String,
}

/// What a replica does with a call.
#[derive(Debug, Clone, Copy)]
enum Mood {
    /// Answers after so long.
    Slow(Duration),
    /// Fails at once, as a broken build does.
    Failing,
    /// Refuses at once, as whoever cannot reach what it needs.
    Refusing,
}

impl Mood {
    fn read(text: &str) -> Result<Self> {
        Ok(match text.split_once(' ') {
            Some(("slow", ms)) => Self::Slow(Duration::from_millis(ms.parse()?)),
            None if text == "failing" => Self::Failing,
            None if text == "refusing" => Self::Refusing,
            Some(_) | None => anyhow::bail!("`{text}` is no mood"),
        })
    }

    async fn wait(self) -> Result<(), Status> {
        match self {
            Self::Slow(Duration::ZERO) => Ok(()),
            Self::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Self::Failing => Err(Status::internal("as the scenario has it")),
            Self::Refusing => Err(Status::unavailable("as the scenario has it")),
        }
    }
}

/// The service, with its number.
#[derive(Clone)]
struct Echo {
    number: u32,
    mood: Arc<Mutex<Mood>>,
    calls: Arc<File>,
}

impl Echo {
    async fn answer(&self) -> Result<Response<EchoResponse>, Status> {
        (&*self.calls).write_all(b".").map_err(|_| Status::data_loss("it cannot count"))?;
        let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        mood.wait().await?;
        Ok(Response::new(EchoResponse { replica: self.number }))
    }
}

#[mesh::async_trait]
impl EchoService for Echo {
    async fn act(&self, _: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        self.answer().await
    }

    async fn read(&self, _: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        self.answer().await
    }
}

/// Serves until it is told to end; whether every call was answered.
pub(crate) async fn serve(arguments: Arguments) -> Result<bool> {
    let calls = OpenOptions::new().append(true).create(true).open(&arguments.calls)?;
    let mood = Arc::new(Mutex::new(Mood::read(&arguments.mood)?));
    let echo = Echo { number: arguments.number, mood: Arc::clone(&mood), calls: Arc::new(calls) };
    let (mesh, stop) = (mesh()?, CancellationToken::new());
    let service = Service::new("echo").answer(EchoServiceServer::new(echo));
    mesh.run(vec![service], &stop, &TaskTracker::new())?;
    let listener = TcpListener::bind(arguments.listen).await.context("nobody can listen there")?;
    let drain =
        Drain { lame_duck: Duration::from_millis(arguments.lame_duck_ms), ..Drain::default() };
    let served = mesh::serve::grpc(listener, mesh, Config::mesh().ending(drain), stop.clone());
    let mut terminate = signal(SignalKind::terminate())?;
    say(READY);
    let told = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = obey(&mood) => {}
        }
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(served, told);
    Ok(ended == Ended::Clean)
}

/// Takes on each mood that is said, and says so; returns when there is nobody left to say one.
async fn obey(mood: &Mutex<Mood>) -> Result<()> {
    let mut lines = process::input();
    while let Some(line) = lines.recv().await {
        let next = Mood::read(&line)?;
        *mood.lock().unwrap_or_else(PoisonError::into_inner) = next;
        say(&line);
    }
    Ok(())
}

fn mesh() -> Result<Mesh> {
    Ok(Mesh::new(mesh::Config {
        limits: Limits::unlimited(),
        ..mesh::Config::new("replica", vec![contract::DESCRIPTORS, DESCRIPTORS])
    })?)
}
