//! `tradewind migrate`: the tables of services, brought to this version before its processes start.

use std::process::ExitCode;

use anyhow::{Context, Result};
use mesh::Clock;
use store::{Migration, Schema};

use crate::compose::Noun;
use crate::say;
use crate::settings::Place;

/// One for the work, and one for who waits for it.
const CONNECTIONS: usize = 2;

/// What `migrate` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The services, such as `orders payments`; all when none is named.
    #[arg(value_name = "SERVICE")]
    services: Vec<Noun>,
    /// Changes nothing, and says what would be done; the exit status is 1 when there is something.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    place: Place,
}

/// Brings tables up to date, or says what that would be.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { services, check, place } = arguments;
    let (database, clock) = (place.open(CONNECTIONS), Clock::system());
    let mut pending = 0;
    for (name, migrations) in schemas(&services) {
        let looked = if check {
            database.schema(name, migrations).await
        } else {
            database.migrate(name, migrations, &clock).await
        };
        let schema = looked.with_context(|| format!("the tables of {name} stay as they are"))?;
        pending += schema.pending.len();
        say(&format!("{name:<13} {}", line(&schema, check)));
    }
    if !check || pending == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{pending} migrations are pending: run `tradewind migrate`"));
    Ok(ExitCode::FAILURE)
}

/// The services that keep something, of those that are named or of all.
pub(crate) fn schemas(services: &[Noun]) -> Vec<(&'static str, &'static [Migration])> {
    let services = if services.is_empty() { &Noun::ALL } else { services };
    let kept = |noun: &Noun| Some((noun.name(), noun.migrations()?));
    services.iter().filter_map(kept).collect()
}

/// What is said of a service, by what its tables were before.
fn line(before: &Schema, check: bool) -> String {
    let Schema { ran, pending, newer } = before;
    let done = match (pending.as_slice(), check) {
        ([], _) => format!("is up to date: {} migrations have run", ran.len()),
        (pending, true) => format!("has to run {}", pending.join(", ")),
        (pending, false) => format!("has run {}", pending.join(", ")),
    };
    if newer.is_empty() {
        return done;
    }
    format!("{done}; a newer version has run {}, which leaves this one working", newer.join(", "))
}
