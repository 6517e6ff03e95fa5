//! `tradewind`: every service of the mesh in one binary.
//!
//! Invariant: only this crate names every service; none of them knows which others run beside it.

mod agreement;
mod audit;
mod backup;
mod certs;
mod compose;
mod configuration;
mod connect;
mod credentials;
mod demo;
mod doctor;
mod events;
mod feed;
mod import;
mod login;
mod migrate;
mod observing;
mod profile;
mod project;
mod reference;
mod replicas;
mod restore;
mod sagas;
mod serve;
mod settings;
mod show;
mod tasks;
mod trust;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use mesh::telemetry::{self, Telemetry};

use crate::configuration::Failed;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a first look at `--help` should end with.
const EXAMPLES: &str = "\
Each option is a flag, else an environment variable, else a key of the file that --config names, else its default.
`tradewind config serve` says which it is.

Examples:
  tradewind serve --data ./data --demo-shop           a sample shop on http://127.0.0.1:8080
  tradewind serve --database postgres://…             the same on PostgreSQL
  tradewind login --email admin@example.com           sign in, for the commands that follow
  tradewind project create bakery --currency EUR --admin baker@example.com
  tradewind import products.csv                       bring a product feed
  tradewind tasks list --state dead                   what was given up, and why
  tradewind backup --data ./data --to ./backups       copy everything, while it is served
  tradewind audit                                     what the services do not agree on
  tradewind demo                                      buy something, on a mesh of its own";

/// A commerce mesh: users, catalog, cart, orders, payments, ledger and notifications.
#[derive(Debug, Parser)]
#[command(name = "tradewind", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    process: ProcessArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs services: all of them, or those that are named.
    Serve(Box<serve::Arguments>),
    /// Brings the tables of every service, or of those that are named, to this version.
    ///
    /// Several may do so at once, and a mesh may be served meanwhile by this version or the one before.
    Migrate(migrate::Arguments),
    /// Looks at all that `serve` needs when it is told the same, and says what to do where something is not well.
    ///
    /// Exit status 0 when nothing fails, 1 otherwise. It changes nothing.
    Doctor(Box<doctor::Arguments>),
    /// Makes projects, and lists them.
    Project(project::Arguments),
    /// Signs in to a running mesh, for the commands that follow.
    Login(login::Arguments),
    /// Signs out of a mesh.
    Logout(login::LogoutArguments),
    /// Brings a product feed into a running mesh: Shopify's product CSV.
    Import(import::Arguments),
    /// Lists what services have still to do, and decides on what was given up.
    Tasks(tasks::Arguments),
    /// Lists what the services of a mesh do not agree on, among themselves and with the payment providers.
    ///
    /// Exit status 0 when all agree, and 1 with a list of what does not, what each side says and what to do.
    /// It works as an administrator of the project, and changes nothing.
    Audit(audit::Arguments),
    /// Makes a backup of all that services remember, while they work, and reads it back whole.
    Backup(backup::Arguments),
    /// Brings back what services remember from a backup.
    ///
    /// The backup is read from end to end first. What is there is left alone until then, and put aside.
    Restore(restore::Arguments),
    /// Shows the processes of orders that are under way over several services, and has them go on.
    Sagas(sagas::Arguments),
    /// Lists what services have told each other, decides on what was refused, and delivers again.
    Events(events::Arguments),
    /// Lists which processes of a mesh live, by service, where they share a Redis.
    Replicas(replicas::Arguments),
    /// Buys something, step by step, and checks that everything agrees at the end.
    Demo(demo::Arguments),
    /// Says what a command would be told, and where each value comes from; it is a configuration file.
    Config(show::Arguments),
    /// Writes a new key that shows the processes of one mesh to each other.
    MeshKey(serve::MeshKeyArguments),
    /// Writes certificates of a development authority, by which processes show themselves to each other.
    Certs(certs::Arguments),
    /// Lists the points at which a process can be made to stand still with `serve --faults`.
    Points,
}

/// What every command is told: its file, what is logged, and where traces go.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Every command")]
struct ProcessArguments {
    /// A file of options: TOML, a line for each, such as `listen = "0.0.0.0:8080"`.
    #[arg(long, global = true, env = "TRADEWIND_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    observing: observing::Options,
}

fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    let command = Arguments::command();
    let outcome = configuration::resolve(&command, &line).and_then(|resolved| {
        let arguments = Arguments::from_arg_matches(&resolved.matches).map_err(Failed::Line)?;
        run(&command, arguments)
    });
    match outcome {
        Ok(code) => code,
        Err(Failed::Line(error)) => error.exit(),
        Err(Failed::Work(error)) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: &clap::Command, arguments: Arguments) -> Result<ExitCode, Failed> {
    if let Command::Config(shown) = &arguments.command {
        return show::run(command, arguments.process.config.as_ref(), shown);
    }
    let config = arguments.process.observing.telemetry(&arguments.command);
    let mut telemetry = telemetry::start(&config).map_err(anyhow::Error::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Arguments { command, process } = arguments;
    let work = work(command, &process.observing, &mut telemetry);
    Ok(runtime.map_err(anyhow::Error::from)?.block_on(work)?)
}

async fn work(
    command: Command,
    observing: &observing::Options,
    telemetry: &mut Telemetry,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(arguments) => serve::run(*arguments, telemetry).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(*arguments, observing).await,
        Command::Project(arguments) => project::run(arguments).await,
        Command::Login(arguments) => login::run(arguments).await,
        Command::Logout(arguments) => login::log_out(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Tasks(arguments) => tasks::run(arguments).await,
        Command::Audit(arguments) => audit::run(arguments).await,
        Command::Backup(arguments) => backup::run(arguments).await,
        Command::Restore(arguments) => restore::run(arguments).await,
        Command::Sagas(arguments) => sagas::run(arguments).await,
        Command::Events(arguments) => events::run(arguments).await,
        Command::Replicas(arguments) => replicas::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::MeshKey(arguments) => serve::write_mesh_key(&arguments),
        Command::Certs(arguments) => certs::write(&arguments),
        // It was answered before anything was started.
        Command::Config(_) => Ok(ExitCode::SUCCESS),
        Command::Points => {
            say(&compose::points().join("\n"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Says something to whoever runs the command; a closed pipe is not an error.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says what went wrong, each cause on its own line.
fn report(error: &anyhow::Error) {
    use std::io::Write;
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "tradewind: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(out, "  because {cause}");
    }
}
