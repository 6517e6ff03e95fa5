//! `simulator planted`: each planted bug is found, and found again by the same seed.

use anyhow::Result;
use clap::ValueEnum;

use crate::history;
use crate::planted::Bug;
use crate::world::Template;
use crate::{say, tell};

/// The head of the table.
const HEAD: &str = "| planted | seed | found by | found again |\n|---|---|---|---|";

/// What is planted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One bug alone; all when none is named.
    #[arg(long, value_enum)]
    only: Vec<Bug>,
    /// In how many histories each must be found.
    #[arg(long, default_value_t = 50)]
    within: u64,
    /// How often the history that found it is run again.
    #[arg(long, default_value_t = 10)]
    reruns: u64,
}

/// Plants the bugs; whether each was found, and found again in nine of ten reruns.
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

fn find(template: &Template, bug: Bug, arguments: &Arguments) -> Result<bool> {
    let value = bug.to_possible_value();
    let name = value.as_ref().map_or("", |value| value.get_name());
    for seed in 1..=arguments.within {
        let outcome = history::run(template, seed, Some(bug))?;
        if outcome.broken.is_empty() {
            continue;
        }
        let mut by: Vec<_> = outcome.broken.iter().map(|it| it.invariant.as_str()).collect();
        by.sort_unstable();
        by.dedup();
        let mut again = 0;
        for _ in 0..arguments.reruns {
            let rerun = history::run(template, seed, Some(bug))?;
            again += u64::from(rerun.broken.iter().any(|it| by.contains(&it.invariant.as_str())));
        }
        let enough = again * 10 >= arguments.reruns * 9;
        say(&format!(
            "| `{name}` | {seed} | {} | {again} of {} |",
            by.join(", "),
            arguments.reruns
        ));
        return Ok(enough);
    }
    tell(&format!("{name} is not found in {} histories", arguments.within));
    say(&format!("| `{name}` | – | **not found in {}** | – |", arguments.within));
    Ok(false)
}
