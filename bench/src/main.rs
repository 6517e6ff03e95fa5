//! Measures Tradewind beside its peers, in one run, and prints a table for `docs/performance.md`.
//!
//! Invariant: both sides of a ratio are driven by the same loop, from the same process, in turns.

mod load;
mod machine;
mod own;
mod pairs;
mod peer;
mod process;
mod rest;
mod rows;
mod rpc;
mod run;
mod shop;
mod sink;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mesh::telemetry::{self, LogFormat};

/// The processes that are measured use it too, so that their peers must.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures Tradewind beside its peers.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures, and prints the table.
    Run(run::Arguments),
    /// Is a peer, in a process of its own; prints its address first.
    #[command(hide = true)]
    Peer(peer::Arguments),
    /// Makes calls, so that what they allocate can be counted.
    #[command(hide = true)]
    Calls(peer::calls::Arguments),
    /// Measures calls within a process, in one of its own.
    #[command(hide = true)]
    Near(peer::near::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    // Programs have somebody who takes their logs; without, each span that nobody keeps asks whether `log` has.
    let _telemetry = match command {
        // It measures what else it can have.
        Command::Near(_) => None,
        Command::Run(_) | Command::Peer(_) | Command::Calls(_) => Some(telemetry::start(&quiet())?),
    };
    match command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Peer(arguments) => peer::serve(arguments).await,
        Command::Calls(arguments) => peer::calls::run(arguments).await,
        Command::Near(arguments) => peer::near::run(arguments).await,
    }
}

/// Logs of what goes wrong, and no traces.
fn quiet() -> telemetry::Config {
    telemetry::Config {
        filter: "warn".into(),
        format: LogFormat::Human,
        sample: 0.0,
        otlp: None,
        name: "bench".into(),
    }
}

/// Says a line of the result.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says what is going on, beside the result.
fn tell(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
