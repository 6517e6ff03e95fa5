//! Faults of the small replicas, one scenario after the other.

mod fleet;
mod gone;
mod hung;
mod restarts;
mod sick;

use anyhow::{Context, Result};

use crate::{net, say, tell};

/// How much is tried.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "scenarios")]
pub(crate) struct Arguments {
    /// Only as long as a test may take.
    #[arg(long)]
    pub(crate) smoke: bool,
    /// What to try; everything when none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Scenario>,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// One of three is killed.
    Killed,
    /// One of three fails every call at once.
    Failing,
    /// One of three is a hundred times slower.
    Slow,
    /// All refuse.
    Refusing,
    /// All are dead.
    Dead,
    /// Each of two is restarted, again and again.
    Restarted,
    /// One of three is stopped, and goes on later.
    Paused,
    /// One of three is cut off without a word, and comes back.
    CutOff,
    /// The machine of one of three is gone without a word, and another comes in its place.
    HalfOpen,
    /// The real services, each restarted under the load of customers.
    Shop,
}

impl Scenario {
    /// Those of the small replicas.
    pub(crate) const ALL: [Self; 9] = [
        Self::Killed,
        Self::Failing,
        Self::Slow,
        Self::Refusing,
        Self::Dead,
        Self::Restarted,
        Self::Paused,
        Self::CutOff,
        Self::HalfOpen,
    ];
    /// Those that take no longer than a test may.
    const SMOKE: [Self; 5] =
        [Self::Killed, Self::Failing, Self::Refusing, Self::Dead, Self::Restarted];
}

/// Runs what is asked for in this process's network, and says each row as JSON.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    net::bridge().await?;
    let all = if arguments.smoke { Scenario::SMOKE.to_vec() } else { Scenario::ALL.to_vec() };
    let asked =
        |scenario: &Scenario| arguments.only.is_empty() || arguments.only.contains(scenario);
    for scenario in all.into_iter().filter(asked) {
        tell(&format!("faults: {scenario:?}"));
        let smoke = arguments.smoke;
        let row = match scenario {
            Scenario::Killed => gone::killed(smoke).await,
            Scenario::Refusing => gone::refusing(smoke).await,
            Scenario::Dead => gone::dead(smoke).await,
            Scenario::Failing => sick::failing(smoke).await,
            Scenario::Slow => sick::slow().await,
            Scenario::Restarted => restarts::restarted(smoke).await,
            Scenario::Paused => hung::paused().await,
            Scenario::CutOff => hung::cut_off().await,
            Scenario::HalfOpen => hung::half_open().await,
            Scenario::Shop => continue,
        };
        say(&row.with_context(|| format!("{scenario:?}"))?.written()?);
    }
    Ok(())
}
