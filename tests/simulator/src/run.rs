//! `simulator run`: many histories, and what broke in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::history::{self, Outcome};
use crate::planted::Bug;
use crate::world::Template;
use crate::{say, tell};

/// How many histories are told of at length; the others by their seeds.
const TOLD: usize = 5;

/// After how many more it is told that it goes on.
const TELLS_EVERY: u64 = 500;

/// What is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many histories.
    #[arg(long, short = 'n', default_value_t = 100)]
    histories: u64,
    /// The seed of the first; each has the next one.
    #[arg(long, short, default_value_t = 1)]
    seed: u64,
    /// How many run at once; each waits for its databases much of the time.
    #[arg(long, default_value_t = 4)]
    threads: u64,
    /// No more are begun after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
    /// A bug that is planted in all of them.
    #[arg(long, value_enum)]
    planted: Option<Bug>,
    /// Keeps the databases of each history in which something broke, in a folder named by its seed.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Prints the faults of every history, and how long it took.
    #[arg(long)]
    trace: bool,
}

/// What came of all histories.
#[derive(Debug, Default)]
struct Sum {
    histories: u64,
    acts: usize,
    faults: usize,
    lives: u64,
    took: Duration,
    broken: Vec<Outcome>,
}

/// Runs histories; whether nothing broke in any.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let began = Instant::now();
    let template = Template::make()?;
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let limit = arguments.within.map(Duration::from_secs);
    let failed = AtomicU64::new(0);
    let work = || {
        while limit.is_none_or(|limit| began.elapsed() < limit) {
            let at = next.fetch_add(1, Ordering::SeqCst);
            if at >= arguments.histories {
                return;
            }
            match history::run(&template, arguments.seed + at, arguments.planted) {
                Ok(outcome) => {
                    if let (Some(keep), false) = (&arguments.keep, outcome.broken.is_empty()) {
                        keep_databases(&outcome, keep);
                    }
                    add(&sum, outcome, arguments.trace);
                }
                Err(error) => {
                    // A machine with more to do than it can has let a deadline pass before anything was tried.
                    let seed = arguments.seed + at;
                    tell(&format!("the history of seed {seed} could not be run: {error:#}"));
                    failed.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..arguments.threads.max(1) {
            threads.spawn(work);
        }
    });
    let sum = sum.into_inner().unwrap_or_default();
    let failed = failed.into_inner();
    ensure!(
        failed <= sum.histories,
        "{failed} histories could not be run, and {} were",
        sum.histories
    );
    conclude(&sum, began.elapsed());
    Ok(sum.broken.is_empty() && sum.histories > 0)
}

fn keep_databases(outcome: &Outcome, keep: &Path) {
    let folder = keep.join(outcome.seed.to_string());
    let kept = fs::create_dir_all(&folder).and_then(|()| {
        for file in fs::read_dir(outcome.directory.path())? {
            let file = file?;
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
        Ok(())
    });
    if let Err(error) = kept {
        tell(&format!("the databases of seed {} cannot be kept: {error}", outcome.seed));
    }
}

fn add(sum: &Mutex<Sum>, outcome: Outcome, trace: bool) {
    let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    sum.histories += 1;
    sum.acts += outcome.acts;
    sum.faults += outcome.trace.len();
    sum.lives += outcome.lives;
    sum.took += outcome.took;
    if sum.histories.is_multiple_of(TELLS_EVERY) {
        tell(&format!("{} histories, {} broken", sum.histories, sum.broken.len()));
    }
    if trace {
        let Outcome { seed, took, lives, acts, .. } = &outcome;
        tell(&format!("seed {seed}: {} ms, {acts} acts, {lives} lives", took.as_millis()));
        outcome.trace.iter().for_each(|line| tell(&format!("  {line}")));
    }
    if !outcome.broken.is_empty() {
        if sum.broken.len() < TOLD {
            say(&told(&outcome));
        }
        sum.broken.push(outcome);
    }
}

/// What broke in a history, and what went wrong before.
fn told(outcome: &Outcome) -> String {
    let broken =
        outcome.broken.iter().map(|it| format!("  {} | {} | {}", it.invariant, it.id, it.text));
    let faults = outcome.trace.iter().map(|line| format!("  {line}"));
    let seed = outcome.seed;
    let lines: Vec<_> = std::iter::once(format!("seed {seed} broke:"))
        .chain(broken)
        .chain(["after:".to_owned()])
        .chain(faults)
        .chain([format!("again: make simulate N=1 SEED={seed}\n")])
        .collect();
    lines.join("\n")
}

fn conclude(sum: &Sum, took: Duration) {
    let Sum { histories, acts, faults, lives, .. } = sum;
    let minutes = took.as_secs_f64() / 60.0;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = *histories as f64 / minutes.max(f64::EPSILON);
    let deaths = lives - histories;
    say(&format!(
        "{histories} histories, {acts} acts, {faults} faults, {deaths} deaths of the mesh, in {:.0} s: {rate:.0} a minute",
        took.as_secs_f64()
    ));
    let mut by_invariant: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for outcome in &sum.broken {
        for broken in &outcome.broken {
            let seeds = by_invariant.entry(&broken.invariant).or_default();
            if seeds.last() != Some(&outcome.seed) {
                seeds.push(outcome.seed);
            }
        }
    }
    for (invariant, seeds) in by_invariant {
        say(&format!(
            "broken: {invariant}: {} histories, seeds {:?}",
            seeds.len(),
            &seeds[..seeds.len().min(8)]
        ));
    }
    say(&format!("{} histories with something broken", sum.broken.len()));
}
