//! A call within the process: what the layers add.

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::pairs::{Pairs, Spread};
use crate::run::Bench;
use crate::table::Row;

/// Microseconds of one call, in each of its ways, a figure a round.
#[derive(Debug, Default)]
struct Ways {
    between: Pairs,
    edge: Pairs,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let on = ways(bench, true).await?;
    let off = ways(bench, false).await?;
    let tracing = Pairs { subject: on.edge.subject.clone(), beside: off.edge.subject };
    Ok(vec![
        row("near", "near call between services, through all layers", &on.between)
            .with_bar("aim at 10 µs more"),
        row("near-edge", "near call from the edge: token checked, budget counted", &on.edge)
            .with_bar("aim at 10 µs more"),
        Row {
            beside: format!("no tracing: {}", Spread::of(&tracing.beside).told(" µs")),
            ..row("near-tracing", "the same, one trace in ten sent", &tracing)
        },
    ])
}

fn row(name: &'static str, what: &str, pairs: &Pairs) -> Row {
    Row {
        name,
        what: what.to_owned(),
        figure: Spread::of(&pairs.subject).told(" µs"),
        beside: format!("bare near tonic call: {}", Spread::of(&pairs.beside).told(" µs")),
        result: format!("{} more", pairs.difference().told(" µs")),
        bar: "reported",
    }
}

/// Measured in a process of its own: telemetry is set up once for a whole process.
async fn ways(bench: &Bench, traced: bool) -> Result<Ways> {
    let mut command = Command::new(std::env::current_exe()?);
    let (rounds, seconds) = (bench.rounds.to_string(), bench.seconds.to_string());
    command.args(["near", "--rounds", &rounds, "--seconds", &seconds]).kill_on_drop(true);
    if let Some(sink) = bench.start.sink.filter(|_| traced) {
        command.args(["--otlp", &format!("http://{sink}")]);
    }
    let output = command.stderr(std::process::Stdio::inherit()).output().await?;
    let mut ways = Ways::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let micros: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [bare, between, edge] = micros[..] else { anyhow::bail!("`{line}` is no round") };
        ways.between.push(between, bare);
        ways.edge.push(edge, bare);
    }
    ways.edge.subject.first().context("nothing was measured near")?;
    Ok(ways)
}
