//! `tradewind audit`: what the services of a mesh do not agree on, among themselves and with the providers.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use auditor::{Finding, Options, Report};
use mesh::Clock;
use serde::Serialize;
use tradewind_client::Client;

use crate::connect::{self, Account, Target, said};
use crate::credentials::Place;
use crate::say;

/// How long it rests between two looks at what was settling.
const PAUSE: Duration = Duration::from_millis(200);

/// What `audit` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Audits every project of the mesh in which you are signed in, rather than one.
    #[arg(long, conflicts_with_all = ["email", "password"])]
    all: bool,
    /// Says what was found as JSON, for programs.
    #[arg(long)]
    json: bool,
    /// Waits up to so long until nothing is settling any more.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    wait: u64,
    /// What changed within so many seconds is given time: a difference in it is settling, and no disagreement.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    settling: u64,
    /// What takes longer than so many minutes is stuck.
    #[arg(long, default_value_t = 15, value_name = "MINUTES")]
    stuck_after: u64,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

/// What was found in one project.
#[derive(Debug, Serialize)]
struct Audited {
    project: String,
    agrees: bool,
    #[serde(flatten)]
    report: Report,
}

/// Audits one project or several; it fails when anything does not agree.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let at = arguments.target.place();
    let places = if arguments.all {
        let places = arguments.account.credentials.places(&at.url).await?;
        anyhow::ensure!(!places.is_empty(), "you are signed in to no project of {}", at.url);
        places
    } else {
        vec![at]
    };
    let options = Options {
        settling: Duration::from_secs(arguments.settling),
        stuck_after: Duration::from_secs(arguments.stuck_after.saturating_mul(60)),
        clock: Clock::system(),
    };
    let patience = Duration::from_secs(arguments.wait);
    let mut audited = Vec::new();
    for place in places {
        let report = of(&place, &arguments.account, &options, patience).await;
        let report = report.with_context(|| format!("project {} is not audited", place.project))?;
        let project = place.project;
        audited.push(Audited { project, agrees: report.agrees(), report });
    }
    if arguments.json {
        say(&serde_json::to_string_pretty(&audited)?);
    } else {
        audited.iter().for_each(tell);
    }
    let all_agree = audited.iter().all(|audited| audited.agrees);
    Ok(if all_agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn of(
    place: &Place,
    account: &Account,
    options: &Options,
    patience: Duration,
) -> Result<Report> {
    let client = connect::open(place).await?;
    let client = connect::sign_in(&client, place, account).await?;
    let began = Instant::now();
    loop {
        let report = audit(&client, options).await?;
        if report.is_settled() || began.elapsed() >= patience {
            return Ok(report);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Audits the project of whoever a client is signed in as.
pub(crate) async fn audit(client: &Client, options: &Options) -> Result<Report> {
    // A gateway answers for every service.
    auditor::audit(|_| client.channel(), options).await.map_err(said)
}

fn tell(audited: &Audited) {
    let Audited { project, agrees, report } = audited;
    let wrong = report.disagreements().count();
    let settling = report.settling().count();
    let summary = if *agrees { "all agree".to_owned() } else { format!("{wrong} disagreements") };
    say(&format!("project {project}: {} orders, {summary}, {settling} settling", report.orders));
    for provider in &report.silent_providers {
        say(&format!("  not compared: {provider} tells nobody what it has on record"));
    }
    report.disagreements().for_each(|finding| tell_of("DISAGREES", finding));
    report.settling().for_each(|finding| tell_of("settling", finding));
}

fn tell_of(word: &str, finding: &Finding) {
    say(&format!("  {word} {} {}: {}", finding.check.name(), finding.id, finding.problem));
    for side in &finding.sides {
        say(&format!("    {:<18} {}", side.who, side.says));
    }
    if !finding.settling {
        say(&format!("    do: {}", finding.advice));
    }
}
