//! Whether nothing was lost and nothing was done twice, asked when all is over: of the customers' own lists, of
//! the shelf, and of `tradewind audit`.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use tradewind::catalog::v1::GetStockRequest;
use tradewind::orders::v1::Order;
use tradewind::orders::v1::order::State;

use super::buyers::Story;
use crate::shop::customers::{ON_HAND, merchant};
use crate::shop::world::{EMAIL, PASSWORD, World, tradewind};

/// How long all that follows the last order may take to end by itself, in seconds.
const SETTLES_WITHIN: u32 = 90;
/// No more of one kind are told than this.
const TOLD: usize = 5;

/// What `tradewind audit --json` says.
#[derive(Debug, Deserialize)]
struct Audited {
    orders: usize,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    check: String,
    id: String,
    problem: String,
}

/// Everything that was lost, done twice, or is not over.
pub(crate) async fn problems(world: &World, story: &Story) -> Result<Vec<String>> {
    wait_until_placed(story).await?;
    let audited = audit(world).await?;
    let mut problems: Vec<_> = audited.findings.iter().take(TOLD).map(told).collect();
    let mut listed = 0;
    for buyer in 0..story.customers.len() {
        listed += bought(story, buyer, &mut problems).await?;
    }
    if audited.orders != listed {
        problems.push(format!("{} orders are audited, {listed} are listed", audited.orders));
    }
    let sold = i64::try_from(listed)?;
    let mut stock = merchant(&story.anyone).await?.stock();
    let request = GetStockRequest { variant_id: story.variant.clone() };
    let level = stock.get_stock(request).await?.into_inner();
    if (level.on_hand, level.reserved) != (ON_HAND - sold, 0) {
        let left = ON_HAND - level.on_hand;
        problems.push(format!("{left} left the shelf for {sold} orders, {} held", level.reserved));
    }
    Ok(problems)
}

/// Waits until no order is being placed any more: one that nobody has answered goes on by itself.
async fn wait_until_placed(story: &Story) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(SETTLES_WITHIN.into());
    for buyer in 0..story.customers.len() {
        let is_placing = |order: &Order| order.state() == State::Placing;
        while story.orders_of(buyer).await?.iter().any(is_placing) && Instant::now() < deadline {
            sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}

/// Compares what a customer was told with what there is; how many orders there are.
async fn bought(story: &Story, buyer: usize, problems: &mut Vec<String>) -> Result<usize> {
    let orders = story.orders_of(buyer).await.context("orders are not listed")?;
    let there: HashSet<_> = orders.iter().map(|order| order.id.as_str()).collect();
    let own: Vec<_> = story.acknowledged().filter(|(it, _)| it.buyer == buyer).collect();
    let mut known = HashSet::new();
    for (purchase, id) in own.iter().copied() {
        if !there.contains(id) {
            problems.push(format!("{id} was acknowledged and is lost"));
        }
        if !known.insert(id) {
            problems.push(format!("{id} is the answer to two keys"));
        }
        let again = story.repeated(purchase).await;
        if again.as_deref().ok() != Some(id) {
            problems.push(format!("{id}, asked for again, is {again:?}"));
        }
    }
    let asked = story.purchases.iter().filter(|it| it.buyer == buyer).count();
    if orders.len() > asked {
        problems.push(format!("{} orders of {asked} keys", orders.len()));
    }
    let unpaid = orders.iter().filter(|order| order.state() != State::Confirmed);
    problems.extend(unpaid.take(TOLD).map(|order| format!("{} is {:?}", order.id, order.state())));
    Ok(orders.len())
}

/// Audits until nothing is settling any more.
async fn audit(world: &World) -> Result<Audited> {
    let gateway = world.gateways().into_iter().next().context("there is no gateway")?;
    let audit = Command::new(tradewind()?)
        .args(["audit", "--json", "--url", &format!("http://{gateway}")])
        .args(["--email", EMAIL, "--wait", &SETTLES_WITHIN.to_string()])
        .env("TRADEWIND_PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&audit.stderr);
    ensure!(!audit.stdout.is_empty(), "nothing was audited: {said}");
    let audited: Vec<Audited> = serde_json::from_slice(&audit.stdout)?;
    audited.into_iter().next().context("no project was audited")
}

fn told(finding: &Finding) -> String {
    format!("{} {}: {}", finding.check, finding.id, finding.problem)
}
