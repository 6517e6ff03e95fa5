//! What can befall a process where it meets the world: calls that are lost or come twice, commits that fail
//! or whose answer is lost. For simulations; see `docs/simulator.md`.
//!
//! Invariant: nothing of it can be named by an option, a request or a variable. A program that wants it has
//! to write a [`Chaos`] of its own and hand it over; the binary hands over none, and nothing is asked.

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::channel::Channel;

/// A commit that is made when it is awaited.
pub type Making<'a> = BoxFuture<'a, ()>;

/// What a service is told of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// What came of it.
    Truth,
    /// That the database was lost, whether it was made or not.
    Lost,
    /// That it was made, whether it was or not: what a database says that lies.
    Made,
}

/// Decides what befalls a process. It is asked at each place, and may let a place wait for as long as it likes.
#[async_trait]
pub trait Chaos: std::fmt::Debug + Send + Sync + 'static {
    /// The way to a service, with what happens on it: each channel of the mesh is handed through here once.
    fn way(&self, service: &'static str, channel: Channel) -> Channel;

    /// Makes the commit of a service, or does not. The method is the RPC's path, or what else it is counted
    /// under.
    async fn commit(&self, service: &'static str, method: &str, making: Making<'_>) -> Told;
}
