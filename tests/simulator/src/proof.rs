//! `simulator planted`: each planted bug is found, and found again by the same seed.

use anyhow::Result;
use clap::ValueEnum;

use crate::history;
use crate::planted::Bug;
use crate::world::Template;
use crate::{say, tell};

/// The head of the table.
const HEAD: &str = "| planted | seed | found by | found again | passed over, and how often they did |\n|---|---|---|---|---|";

/// What is planted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One bug alone; all when none is named.
    #[arg(long, value_enum)]
    only: Vec<Bug>,
    /// In how many histories one must be that finds it again and again.
    #[arg(long, default_value_t = 50)]
    within: u64,
    /// How often the history that found it is run again.
    #[arg(long, default_value_t = 10)]
    reruns: u64,
}

/// Plants the bugs; whether each has a seed that finds it, and again in nine of ten reruns.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let template = Template::make()?;
    let all = arguments.only.is_empty();
    let mut held = true;
    say(HEAD);
    for bug in Bug::value_variants() {
        if !all && !arguments.only.contains(bug) {
            continue;
        }
        held &= find(&template, *bug, arguments)?;
    }
    Ok(held)
}

/// Looks for a seed that finds a bug and finds it again: one that did so by luck is passed over, and told of.
fn find(template: &Template, bug: Bug, arguments: &Arguments) -> Result<bool> {
    let value = bug.to_possible_value();
    let name = value.as_ref().map_or("", |value| value.get_name());
    let reruns = arguments.reruns;
    let mut passed_over = Vec::new();
    for seed in 1..=arguments.within {
        let by = found_by(template, bug, seed)?;
        if by.is_empty() {
            continue;
        }
        let mut again = 0;
        for _ in 0..reruns {
            let rerun = found_by(template, bug, seed)?;
            again += u64::from(rerun.iter().any(|it| by.contains(it)));
        }
        if again * 10 < reruns * 9 {
            passed_over.push(format!("{seed} ({again})"));
            continue;
        }
        let luck = if passed_over.is_empty() { "–".to_owned() } else { passed_over.join(", ") };
        say(&format!("| `{name}` | {seed} | {} | {again} of {reruns} | {luck} |", by.join(", ")));
        return Ok(true);
    }
    tell(&format!("{name} is not found again and again in {} histories", arguments.within));
    let luck = passed_over.join(", ");
    say(&format!("| `{name}` | – | **not found in {}** | – | {luck} |", arguments.within));
    Ok(false)
}

/// What a history with a bug breaks.
fn found_by(template: &Template, bug: Bug, seed: u64) -> Result<Vec<String>> {
    let outcome = history::run(template, seed, Some(bug))?;
    let mut by: Vec<_> = outcome.broken.into_iter().map(|it| it.invariant).collect();
    by.sort_unstable();
    by.dedup();
    Ok(by)
}
