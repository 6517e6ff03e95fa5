//! `tradewind`: every service of the mesh in one binary.
//!
//! Invariant: only this crate names every service; none of them knows which others run beside it.

mod agreement;
mod compose;
mod connect;
mod demo;
mod feed;
mod import;
mod serve;
mod settings;
mod trust;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mesh::telemetry::{self, LogFormat};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A commerce mesh: users, catalog, cart, orders, payments, ledger and notifications.
#[derive(Debug, Parser)]
#[command(name = "tradewind", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    telemetry: TelemetryArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs services: all of them, or those that are named.
    Serve(Box<serve::Arguments>),
    /// Brings a product feed into a running mesh: Shopify's product CSV.
    Import(import::Arguments),
    /// Buys something, step by step, and checks that everything agrees at the end.
    Demo(demo::Arguments),
    /// Writes a new key that shows the processes of one mesh to each other.
    MeshKey(serve::MeshKeyArguments),
    /// Lists the points at which a process can be made to stand still with `serve --faults`.
    Points,
}

/// What is logged, and where traces go.
#[derive(Debug, clap::Args)]
struct TelemetryArguments {
    /// What is logged, such as `info` or `warn,mesh=debug`.
    #[arg(
        long,
        global = true,
        env = "TRADEWIND_LOG",
        default_value = "warn,tradewind=info,node=info"
    )]
    log: String,
    /// How log lines look.
    #[arg(long, global = true, env = "TRADEWIND_LOG_FORMAT", value_parser = ["human", "json"], default_value = "human")]
    log_format: String,
    /// Where spans are sent by OTLP over gRPC, such as `http://127.0.0.1:4317`.
    #[arg(long, global = true, env = "TRADEWIND_OTLP")]
    otlp: Option<String>,
    /// The share of traces that is kept, from 0 to 1.
    #[arg(long, global = true, env = "TRADEWIND_SAMPLE", default_value_t = 0.1)]
    sample: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let _telemetry = telemetry::start(&telemetry::Config {
        filter: arguments.telemetry.log,
        format: match arguments.telemetry.log_format.as_str() {
            "json" => LogFormat::Json,
            _ => LogFormat::Human,
        },
        otlp: arguments.telemetry.otlp,
        sample: arguments.telemetry.sample,
        name: "tradewind".into(),
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(*arguments).await,
            Command::Import(arguments) => import::run(arguments).await,
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::MeshKey(arguments) => serve::write_mesh_key(&arguments),
            Command::Points => {
                say(&compose::points().join("\n"));
                Ok(ExitCode::SUCCESS)
            }
        }
    })
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
