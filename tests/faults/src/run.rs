//! `faults run`: every scenario, and the table of what held.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process::{Process, own};
use crate::scenarios::{self, Scenario};
use crate::table::{self, Row};
use crate::{net, say, shop, tell};

/// What is run, and where the table goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    scenarios: scenarios::Arguments,
    /// The page whose table is written anew.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// Runs, and prints the table; whether everything held.
pub(crate) async fn run(arguments: Arguments) -> Result<bool> {
    let Arguments { scenarios, page } = arguments;
    let asked = |scenario| scenarios.only.is_empty() || scenarios.only.contains(&scenario);
    let mut rows = Vec::new();
    if let Some(why) = net::missing().await {
        say(&format!(
            "skipped: the scenarios in networks of their own, which cannot be made here: {why}"
        ));
    } else if Scenario::ALL.into_iter().any(asked) {
        rows.extend(within(&scenarios).await?);
    }
    if asked(Scenario::Shop) {
        tell("faults: Shop");
        rows.push(shop::restarted(scenarios.smoke).await.context("Shop")?);
    }
    let lines: Vec<_> = rows.iter().map(Row::line).collect();
    let table = format!("{}\n{}\n", table::HEAD, lines.join("\n"));
    say(&table);
    if let Some(page) = page {
        table::write(&page, &table)?;
    }
    Ok(rows.iter().all(|row| row.held))
}

/// Runs the scenarios of the small replicas in a network of their own.
async fn within(scenarios: &scenarios::Arguments) -> Result<Vec<Row>> {
    let mut words: Vec<String> = ["unshare", "--net", "--"].map(str::to_owned).to_vec();
    words.extend([own()?, "within".to_owned()]);
    if scenarios.smoke {
        words.push("--smoke".to_owned());
    }
    for scenario in &scenarios.only {
        let value = clap::ValueEnum::to_possible_value(scenario).context("it has no name")?;
        words.extend(["--only".to_owned(), value.get_name().to_owned()]);
    }
    let mut process = Process::start(&words)?;
    let mut rows = Vec::new();
    while let Some(line) = process.line().await? {
        let row: Row = serde_json::from_str(&line)?;
        tell(&row.line());
        rows.push(row);
    }
    let ended = process.wait().await?;
    ensure!(ended.success(), "the scenarios ended with {ended}");
    Ok(rows)
}
