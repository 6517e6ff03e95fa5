//! What every command is told of logs, traces and metrics.

use std::time::Duration;

use mesh::telemetry::{Config, LogFormat, Otlp, Signals};

use crate::Command;

/// What is logged, and where telemetry goes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Every command")]
pub(crate) struct Options {
    /// What is logged, such as `info` or `warn,mesh=debug`.
    #[arg(
        long,
        global = true,
        env = "TRADEWIND_LOG",
        default_value = "warn,tradewind=info,node=info",
        value_name = "FILTER"
    )]
    log: String,
    /// How log lines look.
    #[arg(
        long,
        global = true,
        env = "TRADEWIND_LOG_FORMAT",
        value_parser = ["human", "json"],
        default_value = "human",
        value_name = "FORMAT"
    )]
    log_format: String,
    /// Where telemetry is sent by OTLP over gRPC, such as `http://127.0.0.1:4317`.
    #[arg(long, global = true, env = "TRADEWIND_OTLP", value_name = "URL")]
    otlp: Option<String>,
    /// What is sent there.
    #[arg(
        long,
        global = true,
        env = "TRADEWIND_OTLP_SIGNALS",
        value_delimiter = ',',
        value_parser = ["traces", "metrics", "logs"],
        default_values = ["traces", "metrics", "logs"],
        value_name = "SIGNALS"
    )]
    otlp_signals: Vec<String>,
    /// How often metrics are sent there.
    #[arg(
        long,
        global = true,
        env = "TRADEWIND_OTLP_METRICS_SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        value_name = "SECONDS"
    )]
    otlp_metrics_seconds: u64,
    /// The share of traces that is kept, from 0 to 1.
    #[arg(
        long,
        global = true,
        env = "TRADEWIND_SAMPLE",
        default_value_t = 0.1,
        value_name = "SHARE"
    )]
    sample: f64,
}

impl Options {
    /// Where telemetry is sent.
    pub(crate) fn otlp(&self) -> Option<&str> {
        self.otlp.as_deref()
    }

    /// The share of traces that is kept.
    pub(crate) fn sample(&self) -> f64 {
        self.sample
    }

    /// The telemetry of a process that runs a command. A doctor sends none: it asks whether it could.
    pub(crate) fn telemetry(&self, command: &Command) -> Config {
        let sends = |signal: &str| self.otlp_signals.iter().any(|it| it == signal);
        let signals = Signals {
            traces: sends("traces"),
            metrics: sends("metrics").then(|| Duration::from_secs(self.otlp_metrics_seconds)),
            logs: sends("logs"),
        };
        Config {
            otlp: self
                .otlp
                .clone()
                .filter(|_| !matches!(command, Command::Doctor(_)))
                .map(|address| Otlp { address, signals }),
            filter: self.log.clone(),
            format: match self.log_format.as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Human,
            },
            sample: self.sample,
            name: name(command).to_owned(),
        }
    }
}

/// A process of one service is called as that service is.
fn name(command: &Command) -> &'static str {
    match command {
        Command::Serve(arguments) => match arguments.services.as_slice() {
            [only] => only.name(),
            _ => "tradewind",
        },
        _ => "tradewind",
    }
}
