//! `tradewind replicas`: which processes of a mesh live, as they say to each other through Redis.

use std::process::ExitCode;

use anyhow::{Context, Result};
use mesh::clock::timestamp;
use mesh::replicas::{Process, SharedPresence};
use mesh::{Clock, Ids};
use serde_json::json;

use crate::compose::Noun;
use crate::say;
use crate::settings::{Listen, Shared};

/// What `replicas` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Says them as JSON, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    shared: Shared,
}

/// This process, as it says that it lives.
pub(crate) fn process(services: &[Noun], place: String, clock: &Clock) -> Process {
    let (id, since) = (Ids::new(clock.clone()).next("prc"), clock.now_micros());
    let services = services.iter().map(|noun| noun.name().to_owned()).collect();
    Process { id, services, place, since }
}

/// Where a process is reached: by the mesh, or by customers where it is all of one.
pub(crate) fn place(listen: &Listen, services: &[Noun]) -> String {
    let is_all = services.len() == Noun::ALL.len();
    let address = if is_all { listen.listen } else { listen.mesh_listen };
    if !address.ip().is_unspecified() {
        return address.to_string();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    if host.is_empty() { address.to_string() } else { format!("{host}:{}", address.port()) }
}

/// Lists the processes that live, by service.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let redis = arguments.shared.redis()?.context(
        "the processes of a mesh know of each other by the Redis that they share; name it with --redis redis://HOST:6379",
    )?;
    let processes = redis.alive().await.context(
        "Redis does not answer, so nobody knows which processes live; look at /readyz of each",
    )?;
    if arguments.json {
        say(&serde_json::to_string_pretty(&written(&processes))?);
        return Ok(ExitCode::SUCCESS);
    }
    for noun in Noun::ALL {
        let replicas = of(&processes, noun.name());
        if replicas.is_empty() {
            say(&format!("{:<14} none", noun.name()));
        }
        for Process { id, place, since, .. } in replicas {
            say(&format!("{:<14} {place:<24} {id}  since {}", noun.name(), timestamp(*since)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Those in which a service runs, the oldest first.
fn of<'p>(processes: &'p [Process], service: &str) -> Vec<&'p Process> {
    let runs = |process: &&Process| process.services.iter().any(|name| name == service);
    let mut replicas: Vec<_> = processes.iter().filter(runs).collect();
    replicas.sort_by_key(|process| (process.since, process.id.clone()));
    replicas
}

fn written(processes: &[Process]) -> Vec<serde_json::Value> {
    let one = |Process { id, services, place, since }: &Process| json!({"id": id, "services": services, "place": place, "since": timestamp(*since).to_string()});
    processes.iter().map(one).collect()
}
