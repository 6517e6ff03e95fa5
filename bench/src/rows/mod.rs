//! What is measured, a file for each group of rows.

mod channel;
mod lists;
mod near;
mod order;
mod pgbench;
mod product;
mod rest;
mod start;
mod tasks;

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
    /// Lists and searches.
    Lists,
    /// Tasks, while many wait.
    Tasks,
    /// Starting, and memory.
    Start,
}

impl Group {
    pub(crate) const ALL: [Self; 8] = [
        Self::Near,
        Self::Channel,
        Self::Product,
        Self::Rest,
        Self::Order,
        Self::Lists,
        Self::Tasks,
        Self::Start,
    ];

    pub(crate) async fn measure(self, bench: &Bench) -> Result<Vec<Row>> {
        match self {
            Self::Near => near::measure(bench).await,
            Self::Channel => channel::measure(bench).await,
            Self::Product => product::measure(bench).await,
            Self::Rest => rest::measure(bench).await,
            Self::Order => order::measure(bench).await,
            Self::Lists => lists::measure(bench).await,
            Self::Tasks => tasks::measure(bench).await,
            Self::Start => start::measure(bench).await,
        }
    }
}
