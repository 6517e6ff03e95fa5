//! `bench run`: every row that is asked for, one after the other.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::load::{Caller, Measured, Window, closed_loop};
use crate::pairs::Pairs;
use crate::rows::Group;
use crate::shop::Start;
use crate::sink::Sink;
use crate::{machine, say, table, tell};

/// What is measured, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; everything when none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,
    /// How many times each pair is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each side of a pair is measured at a time.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many products a shop has.
    #[arg(long, default_value_t = 1_000)]
    products: usize,
    /// How many products the large shop has, for lists and searches; 0 leaves it out.
    #[arg(long, default_value_t = 100_000)]
    large: usize,
    /// How many tasks wait beside those that are done.
    #[arg(long, default_value_t = 1_000_000)]
    pending: usize,
    /// The scale of pgbench's tables.
    #[arg(long, default_value_t = 20)]
    scale: u32,
    /// The binary that is measured; without, the one beside this one.
    #[arg(long)]
    tradewind: Option<PathBuf>,
}

/// What all measurements have in common.
pub(crate) struct Bench {
    pub(crate) start: Start,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) products: usize,
    pub(crate) large: usize,
    pub(crate) pending: usize,
    pub(crate) scale: u32,
}

/// Measures, and prints each row when it is known.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let (sink, began) = (Sink::start().await?, Instant::now());
    let beside = || -> Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name("tradewind")) };
    let tradewind = arguments.tradewind.map_or_else(beside, Ok)?;
    ensure!(
        tradewind.exists(),
        "{} is not there: build it with `cargo build -p node`, in the same profile",
        tradewind.display()
    );
    let bench = Bench {
        start: Start { tradewind, sink: Some(sink.address), commits_alone: false },
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        products: arguments.products,
        large: arguments.large,
        pending: arguments.pending,
        scale: arguments.scale,
    };
    let groups = if arguments.only.is_empty() { Group::ALL.to_vec() } else { arguments.only };
    let traced = groups.iter().any(|group| group.is_traced());
    say(&machine::described());
    say(&format!(
        "- {} rounds of {} s a side, in turns; medians, least and most in parentheses\n",
        bench.rounds, bench.seconds
    ));
    say(table::HEAD);
    for group in groups {
        tell(&format!("measuring {group:?}"));
        let rows = group.measure(&bench).await.with_context(|| format!("{group:?}"))?;
        for row in rows {
            say(&table::line(&row));
        }
    }
    // Processes send their spans every few seconds; one that lives for a moment sends none.
    let spans_due = traced && began.elapsed() > Duration::from_secs(60);
    ensure!(sink.exports() > 0 || !spans_due, "no span ever arrived: telemetry was not on");
    tell(&format!("spans arrived in {} exports", sink.exports()));
    Ok(())
}

impl Bench {
    /// The window of one side of a pair.
    pub(crate) fn window(&self) -> Window {
        Window::of(self.seconds)
    }

    /// Measures so many callers for one window.
    pub(crate) async fn load(
        &self,
        in_flight: usize,
        caller: impl Fn(usize) -> Caller,
    ) -> Result<Measured> {
        closed_loop((0..in_flight).map(caller).collect(), self.window()).await
    }

    /// Measures both sides in turns.
    pub(crate) async fn in_turns(
        &self,
        mut subject: impl AsyncFnMut() -> Result<f64>,
        mut beside: impl AsyncFnMut() -> Result<f64>,
    ) -> Result<Pairs> {
        let mut pairs = Pairs::default();
        for _ in 0..self.rounds {
            let subject = subject().await?;
            pairs.push(subject, beside().await?);
        }
        Ok(pairs)
    }
}
