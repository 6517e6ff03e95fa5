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
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("budgets", &self.budgets.is_some())
            .field("answers", &self.answers.is_some())
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
