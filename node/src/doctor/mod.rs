//! `tradewind doctor`: whether `serve`, told the same, would find all that it needs, and what to do where not.
//!
//! Invariant: it changes nothing but a file in the data directory, which it removes again.

mod alerts;
mod backups;
mod clocks;
mod configured;
mod database;
mod disk;
mod finding;
mod identities;
mod peers;
mod production;
mod redis;
mod secrets;

use std::process::ExitCode;

use anyhow::Result;
use mesh::Clock;
use serde::Serialize;

use self::database::Asked;
use self::finding::{Finding, Verdict, chain};
use crate::compose::Noun;
use crate::migrate::schemas;
use crate::observing;
use crate::{say, serve};

/// What `doctor` is told: all that `serve` is, and how much is asked of it.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    serve: serve::Arguments,
    /// How many processes of the mesh use this database at once, for whether their connections fit.
    #[arg(
        long,
        env = "TRADEWIND_REPLICAS",
        default_value_t = 1,
        value_name = "COUNT",
        help_heading = "Doctor"
    )]
    replicas: u32,
    /// Fails for what must not be so in production, and is a warning otherwise.
    #[arg(long, help_heading = "Doctor")]
    production: bool,
    /// The Prometheus that reads this mesh, such as `http://prometheus:9090`, for whether somebody is woken when something
    /// breaks.
    #[arg(long, env = "TRADEWIND_PROMETHEUS", value_name = "URL", help_heading = "Doctor")]
    prometheus: Option<String>,
    /// Reports as JSON.
    #[arg(long, help_heading = "Doctor")]
    json: bool,
}

/// What programs read.
#[derive(Serialize)]
struct Report<'f> {
    tradewind: &'static str,
    passed: bool,
    findings: &'f [Finding],
}

/// Looks at everything, and reports.
pub(crate) async fn run(arguments: Arguments, observing: &observing::Options) -> Result<ExitCode> {
    let findings = look(&arguments, observing).await;
    let passed = findings.iter().all(|finding| finding.verdict != Verdict::Fail);
    if arguments.json {
        let tradewind = env!("CARGO_PKG_VERSION");
        let report = Report { tradewind, passed, findings: &findings };
        say(&serde_json::to_string_pretty(&report)?);
    } else {
        for finding in &findings {
            say(&finding.lines());
        }
        say(&summary(&findings));
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let [passed, warnings, failed] = [Verdict::Pass, Verdict::Warn, Verdict::Fail].map(count);
    format!("{passed} passed, {warnings} warnings, {failed} failed")
}

async fn look(arguments: &Arguments, observing: &observing::Options) -> Vec<Finding> {
    let Arguments { serve, replicas, production, prometheus, .. } = arguments;
    let here = match serve.services.as_slice() {
        [] => Noun::ALL.to_vec(),
        named => named.to_vec(),
    };
    let clock = Clock::system();
    let mut findings = configured::look(serve, &here);
    let asked = Asked { replicas: *replicas, is_production: *production };
    findings.extend(database::look(serve, &here, asked, &clock).await);
    findings.extend(redis::look(serve, *replicas, &clock).await);
    findings.extend(peers::look(serve, &here, &clock).await);
    findings.extend(collector(observing).await);
    findings.extend(identities::look(serve, &here, &clock));
    findings.extend(secrets::look(serve));
    if !schemas(&here).is_empty() {
        findings.extend(disk::look(&serve.storage.place.data));
    }
    findings.extend(production::look(serve, &here, observing, *production));
    let severe = Verdict::of_production(*production);
    findings.extend(backups::look(serve, severe, &clock).await);
    findings.extend(alerts::look(prometheus.as_deref(), severe).await);
    findings
}

/// Whether somebody takes what is told.
async fn collector(observing: &observing::Options) -> Option<Finding> {
    const CHECK: &str = "collector";
    let address = observing.otlp()?;
    Some(match mesh::telemetry::reach(address).await {
        Ok(()) => Finding::pass(CHECK, format!("{address} takes traces")),
        Err(error) => Finding::fail(
            CHECK,
            format!("{address}: {}", chain(&error)),
            "start the collector, or name the one that runs with --otlp; it speaks OTLP over gRPC, on port 4317 as a rule",
        ),
    })
}
