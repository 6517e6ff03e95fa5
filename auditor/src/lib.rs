//! Whether the services of a mesh agree with each other and with the providers.
//!
//! The auditor asks each service what it knows, in pages, and walks through all orders at once in the
//! order of their ids. Its rules are pure: what one order's services say in, what is wrong with it out.
//!
//! Invariant: it changes nothing, and says of each disagreement what both sides say and what to do.

mod books;
mod facts;
mod judge;
mod money;
mod pages;
mod report;
mod sources;
mod waiting;

use std::time::Duration;

use mesh::{Channel, Clock, Status};

pub use report::{Check, Finding, Report, Side};

use crate::books::Sums;
use crate::judge::Rules;
use crate::sources::Sources;
use crate::waiting::Todo;

/// How an audit judges.
#[derive(Debug, Clone)]
pub struct Options {
    /// What changed so recently is given time: a difference in it is told as settling.
    pub settling: Duration,
    /// What takes longer is stuck.
    pub stuck_after: Duration,
    /// The time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settling: Duration::from_secs(60),
            stuck_after: Duration::from_secs(15 * 60),
            clock: Clock::system(),
        }
    }
}

/// Audits one project: that of whoever calls by the channel, which is asked for by the name of a service.
///
/// It asks for the permission `audit.read`, and for those to read orders, payments, the ledger and stock.
pub async fn audit(
    channel: impl Fn(&'static str) -> Channel,
    options: &Options,
) -> Result<Report, Status> {
    let mut sources = Sources::new(&channel);
    // Before all else: what ends meanwhile has changed something since.
    let todo = Todo::read(&channel).await?;
    let rules = Rules::new(options, &todo);
    let mut sums = Sums::begin(&mut sources).await?;
    let mut report = Report::default();
    while let Some(facts) = sources.next_order().await? {
        report.orders += u64::from(facts.order.is_some());
        sums.add(&facts);
        report.findings.extend(rules.judge(&facts));
    }
    while let Some(entry) = sources.next_entry().await? {
        report.findings.extend(rules.judge_provider(&entry));
    }
    report.silent_providers = sources.silent_providers();
    report.findings.extend(rules.judge_todo());
    report.findings.extend(books::ledger(&mut sources).await?);
    report.findings.extend(books::shelves(&mut sources).await?);
    let moving = report.findings.iter().any(|finding| finding.settling);
    report.findings.extend(sums.end(&mut sources, moving).await?);
    Ok(report)
}
