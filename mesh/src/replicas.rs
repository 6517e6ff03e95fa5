//! What the replicas of a mesh have in common, where something keeps it for all of them.
//!
//! Each of these has a way without: a process that is told nothing decides by what it knows itself.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// What is kept for all replicas.
#[derive(Clone, Default)]
pub struct Shared {
    /// Budgets of calls.
    pub budgets: Option<Arc<dyn SharedBudgets>>,
    /// Answers.
    pub answers: Option<Arc<dyn SharedAnswers>>,
    /// Locks.
    pub locks: Option<Arc<dyn SharedLocks>>,
    /// Which processes live.
    pub presence: Option<Arc<dyn SharedPresence>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("budgets", &self.budgets.is_some())
            .field("answers", &self.answers.is_some())
            .field("locks", &self.locks.is_some())
            .field("presence", &self.presence.is_some())
            .finish()
    }
}

/// How many calls a budget has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// At once, after a while without any.
    pub burst: NonZeroU32,
    /// How long until there is one more.
    pub every: Duration,
}

/// Budgets that all replicas draw on.
#[async_trait]
pub trait SharedBudgets: Send + Sync + 'static {
    /// Takes one call from a budget; how long to wait when it has none left, zero when it has. Nothing when nobody
    /// knows at the moment.
    async fn take(&self, budget: &str, quota: Quota) -> Option<Duration>;
}

/// An answer that was kept for all replicas.
#[derive(Debug, Clone)]
pub struct SharedAnswer {
    /// What was kept.
    pub answer: Bytes,
    /// How long it may still be given.
    pub lasts: Duration,
}

/// What was found where an answer was looked for.
#[derive(Debug, Clone)]
pub struct Found {
    /// What the resources were that it shows; an answer that is made from now on is kept with it.
    pub version: String,
    /// The answer, if there is one and nothing that it shows has changed.
    pub answer: Option<SharedAnswer>,
}

/// Answers that all replicas give.
#[async_trait]
pub trait SharedAnswers: Send + Sync + 'static {
    /// Looks for an answer that shows resources of these kinds, each with its project. Nothing when nobody knows
    /// at the moment.
    async fn look(&self, question: &str, shows: &[String]) -> Option<Found>;

    /// Keeps an answer that was made when the resources were what a version says.
    async fn keep(&self, question: &str, version: &str, answer: Bytes, lasts: Duration);
}

/// What counts the changes of a kind of resource in a project, as [`SharedAnswers`] name it.
#[must_use]
pub fn shown(resource: &str, project: &str) -> String {
    format!("{resource} {project}")
}

/// A lock that was taken: by whom, and with which fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What the lock is called.
    pub name: String,
    /// What its holder is called, which no other is.
    pub owner: String,
    /// Greater than that of any holder before.
    pub fence: u64,
}

/// What became of a lock that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is the owner's.
    Ours {
        /// Greater than that of any holder before.
        fence: u64,
    },
    /// Another has it.
    Anothers,
}

/// Locks that one of all replicas has at a time. Services take them by [`crate::Locks`].
#[async_trait]
pub trait SharedLocks: Send + Sync + 'static {
    /// Takes a lock for a while, unless another has it; whoever has it already is answered the same again. Nothing
    /// when nobody knows at the moment.
    async fn take(&self, name: &str, owner: &str, lasts: Duration) -> Option<Taken>;

    /// Holds a lock for as long again; whether it was held still. Nothing when nobody knows at the moment.
    async fn renew(&self, grant: &Grant, lasts: Duration) -> Option<bool>;

    /// Gives a lock up, unless another has it by now.
    async fn release(&self, grant: &Grant);
}

/// A process of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What it is called; one that starts anew is another.
    pub id: String,
    /// The services that run in it.
    pub services: Vec<String>,
    /// Where it is, for people.
    pub place: String,
    /// When it began, in microseconds since 1970.
    pub since: i64,
}

/// Which processes of the mesh live.
#[async_trait]
pub trait SharedPresence: Send + Sync + 'static {
    /// Says that a process lives, for so long; whether anybody was told.
    async fn announce(&self, process: &Process, lasts: Duration) -> bool;

    /// Says that a process takes no more calls.
    async fn leave(&self, process: &Process);

    /// Those that live. Nothing when nobody knows at the moment.
    async fn alive(&self) -> Option<Vec<Process>>;
}
