//! `tradewind backup`: copies of all that services remember, made while they work.
//!
//! A backup is a directory: a file for each service, and a manifest that says what each holds. It is made
//! under another name, read back whole, and given its own name last: what has that name is good.

mod dumps;
mod files;
mod make;
mod manifest;
mod retention;
mod schedule;
mod verify;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use mesh::Clock;

pub(crate) use self::dumps::{Address, Programs};
pub(crate) use self::files::{copy_private, directory, private_directory, sync};
pub(crate) use self::make::Source;
pub(crate) use self::manifest::{EngineName, Manifest};
pub(crate) use self::schedule::Schedule;
pub(crate) use self::verify::verify;

use crate::say;
use crate::settings::Place;

/// What `backup` is told.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The directory in which backups are kept, each in a directory of its own.
    #[arg(long, value_name = "DIR", required = true)]
    to: Option<PathBuf>,
    /// Removes all but so many of the newest, once a good one is made.
    #[arg(long, value_name = "COUNT")]
    keep: Option<NonZeroUsize>,
    #[command(flatten)]
    remembered: Remembered,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads a backup from end to end, and fails when anything in it is not what was written.
    Verify(VerifyArguments),
}

#[derive(Debug, clap::Args)]
struct VerifyArguments {
    /// The backup: a directory with a `manifest.json`.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    #[command(flatten)]
    programs: PostgresPrograms,
}

/// Where services remember.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Storage")]
pub(crate) struct Remembered {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) programs: PostgresPrograms,
}

/// Where the programs of PostgreSQL are.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Storage")]
pub(crate) struct PostgresPrograms {
    /// Where `pg_dump` and `pg_restore` are; without it, the newest in PATH and in /usr/lib/postgresql.
    #[arg(long, env = "TRADEWIND_POSTGRES_PROGRAMS", value_name = "DIR")]
    pub(crate) postgres_programs: Option<PathBuf>,
}

impl Remembered {
    pub(crate) fn source(&self) -> Source {
        let programs = self.programs.clone().find();
        match &self.place.database {
            Some(url) => Source::Server { address: Address::of(url), programs },
            None => Source::Files { data: self.place.data.clone(), programs },
        }
    }
}

impl PostgresPrograms {
    pub(crate) fn find(self) -> Programs {
        Programs::new(self.postgres_programs)
    }
}

/// Makes a backup, or looks at one.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(Command::Verify(arguments)) = arguments.command {
        return looked_at(arguments).await;
    }
    let to = arguments.to.context("say where backups are kept: --to DIR")?;
    let held = files::hold(&to)?;
    let made = make::make(&arguments.remembered.source(), &held, &Clock::system()).await?;
    say(&made.manifest.summary());
    say(&format!("  {} is good: it was read back whole", made.path.display()));
    if let Some(keep) = arguments.keep {
        for removed in retention::keep(&held, keep)? {
            say(&format!("  removed {}", removed.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn looked_at(arguments: VerifyArguments) -> Result<ExitCode> {
    let manifest = verify(&arguments.backup, &arguments.programs.find()).await?;
    say(&manifest.summary());
    say(&format!("  {} is good", arguments.backup.display()));
    Ok(ExitCode::SUCCESS)
}
