//! What must hold once a history has come to rest: the auditor's own checks, and what only a test can see.

mod answers;
mod excused;
mod leftovers;
mod money;
mod told;
mod units;

use std::time::Duration;

use anyhow::Result;
use auditor::Options;
use harness::Harness;
use mesh::Channel;
use tower::util::BoxCloneSyncService;
use tradewind::orders::v1::Order;

use crate::agent::Agent;
use crate::customers::Customers;
use crate::quiet::anybody;

pub(crate) use self::excused::{Excused, excused};

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Which of what must hold, such as `auditor: stock` or `units`.
    pub(crate) invariant: String,
    /// What it is about.
    pub(crate) id: String,
    /// What each side says.
    pub(crate) text: String,
}

impl Broken {
    pub(crate) fn new(invariant: &str, id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { invariant: invariant.to_owned(), id: id.into(), text: text.into() }
    }
}

/// What is due for less may just have become so; that nothing is left to do is looked for besides.
const STUCK_AFTER: Duration = Duration::from_secs(600);

/// Everything that does not hold.
pub(crate) async fn all(
    harness: &Harness,
    agent: &Agent,
    customers: &Customers,
) -> Result<Vec<Broken>> {
    let excused = excused(harness, agent).await?;
    let orders = orders(harness).await?;
    let mut broken = audit(harness, &excused).await?;
    broken.extend(units::check(harness, &orders, &excused).await?);
    broken.extend(answers::check(harness, customers, &orders, &excused).await?);
    broken.extend(leftovers::check(harness, &excused).await?);
    broken.extend(money::check(harness, &excused).await?);
    broken.extend(told::check(harness).await?);
    Ok(broken)
}

/// What `tradewind audit` says. Nothing is given time, for all has come to rest.
async fn audit(harness: &Harness, excused: &Excused) -> Result<Vec<Broken>> {
    // The ledger's times run ahead of a clock that stands.
    harness.clock.advance(Duration::from_secs(60));
    // What is done by the hour may just have become due.
    harness.settle().await;
    let context = anybody(harness);
    let channel =
        |service| -> Channel { BoxCloneSyncService::new(harness.peer(service).of(&context)) };
    let clock = harness.clock.clone();
    let options = Options { settling: Duration::ZERO, stuck_after: STUCK_AFTER, clock };
    let report = auditor::audit(channel, &options).await?;
    let mut broken = Vec::new();
    for finding in &report.findings {
        let about = std::iter::once(&finding.id).chain(finding.sides.iter().map(|side| &side.says));
        if about.into_iter().any(|text| excused.covers(text))
            || (excused.some() && finding.check.name() == "sums")
        {
            continue;
        }
        let sides: Vec<_> =
            finding.sides.iter().map(|side| format!("{}: {}", side.who, side.says)).collect();
        let invariant = format!("auditor: {}", finding.check.name());
        let text = format!("{}; {}", finding.problem, sides.join("; "));
        broken.push(Broken::new(&invariant, &finding.id, text));
    }
    broken.extend(excused.unnoticed(&report));
    Ok(broken)
}

async fn orders(harness: &Harness) -> Result<Vec<Order>> {
    let reader = harness.store("orders").read(&anybody(harness));
    Ok(reader.select::<Order>("id <> $2").bind("").fetch_all().await?)
}
