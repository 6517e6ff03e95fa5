//! What is measured, a file for each group of rows.

mod buyers;
mod channel;
mod commits;
mod events;
mod ledger;
mod lists;
mod near;
mod order;
mod pgbench;
mod product;
mod rest;
mod start;
mod tasks;
mod transfers;

use anyhow::Result;

use crate::run::Bench;
use crate::table::Row;

/// Rows that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Group {
    /// A call within the process.
    Near,
    /// The mesh's own channel, beside other clients of gRPC.
    Channel,
    /// A product over gRPC, from another process.
    Product,
    /// A product over REST.
    Rest,
    /// Placing an order.
    Order,
    /// Commits that writers share.
    Commits,
    /// Transfers of the ledger.
    Ledger,
    /// Events, from their commit to their effect.
    Events,
    /// Lists and searches.
    Lists,
    /// Tasks, while many wait.
    Tasks,
    /// Starting, and memory.
    Start,
}

impl Group {
    pub(crate) const ALL: [Self; 11] = [
        Self::Near,
        Self::Channel,
        Self::Product,
        Self::Rest,
        Self::Order,
        Self::Commits,
        Self::Ledger,
        Self::Events,
        Self::Lists,
        Self::Tasks,
        Self::Start,
    ];

    /// Whether processes are measured that send spans.
    pub(crate) fn is_traced(self) -> bool {
        match self {
            Self::Channel | Self::Events | Self::Tasks => false,
            Self::Near
            | Self::Product
            | Self::Rest
            | Self::Order
            | Self::Commits
            | Self::Ledger
            | Self::Lists
            | Self::Start => true,
        }
    }

    pub(crate) async fn measure(self, bench: &Bench) -> Result<Vec<Row>> {
        match self {
            Self::Near => near::measure(bench).await,
            Self::Channel => channel::measure(bench).await,
            Self::Product => product::measure(bench).await,
            Self::Rest => rest::measure(bench).await,
            Self::Order => order::measure(bench).await,
            Self::Commits => commits::measure(bench).await,
            Self::Ledger => ledger::measure(bench).await,
            Self::Events => events::measure(bench).await,
            Self::Lists => lists::measure(bench).await,
            Self::Tasks => tasks::measure(bench).await,
            Self::Start => start::measure(bench).await,
        }
    }
}
