//! What the mesh makes of faults: real processes in networks of their own, killed, paused, cut off and
//! restarted under load, and what their callers saw of it.
//!
//! Invariant: every process and every network that is made here ends with the process that made it.

mod durable;
mod echo;
mod load;
mod net;
mod process;
mod replica;
mod run;
mod scenarios;
mod shop;

mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Puts faults into a mesh, and says what its callers saw.
#[derive(Debug, Parser)]
#[command(name = "faults", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs every scenario, and prints the table.
    Run(run::Arguments),
    /// Runs what befalls databases, Redis, disks and clocks, and prints the table of what was found afterwards.
    Durable(durable::Arguments),
    /// Runs the scenarios of the small replicas, in a network of its own.
    #[command(hide = true)]
    Within(scenarios::Arguments),
    /// Keeps a network until its input ends.
    #[command(hide = true)]
    Hold,
    /// Is a replica.
    #[command(hide = true)]
    Replica(replica::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Durable(arguments) => durable::run(arguments).await,
        Command::Within(arguments) => scenarios::run(arguments).await.map(|()| true),
        Command::Hold => {
            process::hold().await;
            Ok(true)
        }
        Command::Replica(arguments) => replica::serve(arguments).await,
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(&format!("faults: {error:#}"));
            ExitCode::FAILURE
        }
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
