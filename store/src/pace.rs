//! How fast tasks are looked for and let go, and how long what was done is remembered.

use std::time::Duration;

use crate::lease::DEFAULT_TASK_LEASE;

/// How tasks are looked for, held and let go.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long a claimed task is its holder's without renewal; see [`crate::DEFAULT_TASK_LEASE`].
    pub lease: Duration,
    /// How often rows of other replicas are looked for, of which nothing else told.
    pub poll: Duration,
    /// How long tasks that run may go on when a runner is told to stop; others take up the rest.
    pub grace: Duration,
    /// How often what is left to do is counted for operators: about as often as they are told.
    pub count: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lease: DEFAULT_TASK_LEASE,
            poll: Duration::from_secs(1),
            // As long as calls are given at the end of a process.
            grace: Duration::from_secs(20),
            count: Duration::from_secs(15),
        }
    }
}

/// How long what was done is remembered, so that a repeat of it does nothing.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Answers of calls with an idempotency key.
    pub keys: Duration,
    /// That an event has had its effect.
    pub events: Duration,
    /// Events that were delivered, to be delivered again if need be.
    pub delivered: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        let month = Duration::from_hours(30 * 24);
        Self { keys: month, events: month, delivered: Duration::from_hours(7 * 24) }
    }
}
