//! The whole mesh in one process, under faults that a seed fixes: calls lost, delayed and done twice, commits
//! that fail or whose answer is lost, a provider that is late or lies, and services that are killed. Once all
//! has come to rest, the auditor and this crate's own checks look for what was lost or done twice.
//!
//! Invariant: a seed fixes what is done and what goes wrong, by the count of each place's passings and never
//! by time.

mod acquirer;
mod agent;
mod check;
mod customers;
mod fault;
mod history;
mod inputs;
mod plans;
mod planted;
mod proof;
mod quiet;
mod run;
mod time;
mod way;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs histories of the whole mesh under faults, and finds what they broke.
#[derive(Debug, Parser)]
#[command(name = "simulator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs histories, each of a seed; prints every one in which something broke.
    Run(run::Arguments),
    /// Plants one bug after another, and shows that each is found.
    Planted(proof::Arguments),
    /// Explains the statements of histories; prints every one that reads a whole table.
    Plans(plans::Arguments),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Planted(arguments) => proof::run(&arguments),
        Command::Plans(arguments) => plans::run(&arguments),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(&format!("simulator: {error:#}"));
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
