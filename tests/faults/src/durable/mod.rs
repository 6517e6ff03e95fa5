//! What was acknowledged outlives what befalls the half that remembers: databases, Redis, the processes of the
//! services, their disk and their clocks, while customers buy.

mod buyers;
mod clock;
mod disk;
mod postgres;
mod redis;
mod services;
mod settled;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use self::buyers::Buyers;
use self::table::Row;
use crate::shop::customers;
use crate::shop::world::{Plan, World};
use crate::{say, tell};

/// How long anything may take that is waited for: a customer gives up after as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is run, and where the table goes.
#[derive(Debug, clap::Args)]
#[group(id = "durable")]
pub(crate) struct Arguments {
    /// Only as long as a test may take.
    #[arg(long)]
    smoke: bool,
    /// What to try; everything when nothing is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Fault>,
    /// The page whose table is written anew.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// What befalls a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Fault {
    /// PostgreSQL is killed with all of its processes.
    Postgres,
    /// Redis is killed, and comes again empty.
    Redis,
    /// Each service is killed, on PostgreSQL and on SQLite.
    Services,
    /// The disk of the SQLite databases is full for a while.
    Disk,
    /// The clock of one process after the other jumps ahead by an hour, and back.
    Clock,
}

impl Fault {
    const ALL: [Self; 5] = [Self::Postgres, Self::Redis, Self::Services, Self::Disk, Self::Clock];
    /// Those that take no longer than a test may.
    const SMOKE: [Self; 3] = [Self::Postgres, Self::Services, Self::Disk];

    /// The rows of it; none where it cannot be made here.
    async fn try_it(self, smoke: bool) -> Result<Vec<Row>> {
        match self {
            Self::Postgres => Ok(vec![postgres::killed(smoke).await?]),
            Self::Redis => Ok(vec![redis::killed(smoke).await?]),
            Self::Services => services::killed(smoke).await,
            Self::Disk => Ok(disk::filled(smoke).await?.into_iter().collect()),
            Self::Clock => clock::jumped(smoke).await,
        }
    }
}

/// Tries all that is asked for, and prints the table; whether everything held.
pub(crate) async fn run(arguments: Arguments) -> Result<bool> {
    let Arguments { smoke, only, page } = arguments;
    let mut rows = Vec::new();
    let all = if smoke { Fault::SMOKE.to_vec() } else { Fault::ALL.to_vec() };
    let faults = if only.is_empty() { all } else { only };
    for fault in faults {
        tell(&format!("faults: {fault:?}"));
        let found = fault.try_it(smoke).await.with_context(|| format!("{fault:?}"))?;
        for row in &found {
            tell(&row.line());
        }
        rows.extend(found);
    }
    let lines: Vec<_> = rows.iter().map(Row::line).collect();
    let table = format!("{}\n{}\n", table::HEAD, lines.join("\n"));
    say(&table);
    if let Some(page) = page {
        crate::table::write(&page, &table)?;
    }
    Ok(rows.iter().all(|row| row.held))
}

/// Says why something is not tried here.
fn skipped(what: &str, why: &str) {
    say(&format!("SKIPPED: {what}, which cannot be made here: {why}"));
}

/// A mesh whose customers buy.
struct Shop {
    world: World,
    buyers: Buyers,
    /// Whether a good token may be refused: by who has another time.
    is_out_of_time: bool,
}

impl Shop {
    /// Opens it, and waits until it sells.
    async fn open(plan: Plan) -> Result<Self> {
        let world = World::planned(plan).await?;
        let anyone = customers::anyone(&world.gateways())?;
        let product = customers::stocked(&anyone).await?;
        let buyers = Buyers::arrive(&anyone, &product).await?;
        buyers.sell(20).await.context("customers are not served")?;
        Ok(Self { world, buyers, is_out_of_time: false })
    }

    /// Lets the last customers end, and looks for whatever was lost or done twice.
    async fn close(mut self, what: &str) -> Result<Row> {
        // Some more are sold after the last fault, or its end would not be seen.
        let sells = self.buyers.sell(20).await;
        let signed_out = self.buyers.signed_out();
        let story = self.buyers.leave().await;
        let mut problems = self.world.ended()?;
        if signed_out > 0 && !self.is_out_of_time {
            problems.push(format!("{signed_out} tries were refused as signed out"));
        }
        problems.extend(sells.err().map(|error| format!("{error:#}")));
        problems.extend(settled::problems(&self.world, &story).await?);
        Ok(Row::of(what, &story).finds(&problems))
    }
}
