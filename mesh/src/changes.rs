//! Which resources have changed: what kept answers are checked against.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Counts the committed changes of each kind of resource in each project. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    counts: Arc<RwLock<HashMap<String, HashMap<String, u64>>>>,
    /// How often anything may have changed that nobody told.
    unknown: Arc<AtomicU64>,
    changed: Arc<Notify>,
    told: Arc<OnceLock<UnboundedSender<Change>>>,
}

/// A change of some resource of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    /// The full name of the resource's message.
    pub resource: String,
    /// Where it was changed.
    pub project: String,
}

impl Changes {
    /// Says that resources of a kind have changed in a project, by this process.
    pub fn note(&self, resource: &str, project: &str) {
        self.hear(resource, project);
        if let Some(told) = self.told.get() {
            // Whoever was told may have ended, with the process.
            let _ = told.send(Change { resource: resource.into(), project: project.into() });
        }
    }

    /// The same, of another process.
    pub fn hear(&self, resource: &str, project: &str) {
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(resource).and_then(|of| of.get_mut(project)) {
            *count += 1;
        } else {
            counts.entry(resource.to_owned()).or_default().insert(project.to_owned(), 1);
        }
        drop(counts);
        self.changed.notify_waiters();
    }

    /// Says that anything may have changed: nobody told for a while.
    pub fn forget(&self) {
        self.unknown.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// The changes by this process from now on, for who tells them to others; nothing when somebody does already.
    #[must_use]
    pub fn listen(&self) -> Option<UnboundedReceiver<Change>> {
        let (told, hears) = unbounded_channel();
        self.told.set(told).is_ok().then_some(hears)
    }

    /// How often resources of a kind have changed in a project, as far as this process knows.
    #[must_use]
    pub fn count(&self, resource: &str, project: &str) -> u64 {
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        let known = counts.get(resource).and_then(|of| of.get(project)).copied();
        known.unwrap_or_default().wrapping_add(self.unknown.load(Ordering::Acquire))
    }

    /// Waits for the next change of anything.
    pub async fn next(&self) {
        self.changed.notified().await;
    }
}
