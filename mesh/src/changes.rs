//! Which resources have changed: what kept answers are checked against.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

/// Counts the committed changes of each kind of resource in each project. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    counts: Arc<RwLock<HashMap<String, HashMap<String, u64>>>>,
    changed: Arc<Notify>,
}

impl Changes {
    /// Says that resources of a kind have changed in a project.
    pub fn note(&self, resource: &str, project: &str) {
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(resource).and_then(|of| of.get_mut(project)) {
            *count += 1;
        } else {
            counts.entry(resource.to_owned()).or_default().insert(project.to_owned(), 1);
        }
        drop(counts);
        self.changed.notify_waiters();
    }

    /// How often resources of a kind have changed in a project, as far as this process knows.
    #[must_use]
    pub fn count(&self, resource: &str, project: &str) -> u64 {
        let counts = self.counts.read().unwrap_or_else(PoisonError::into_inner);
        counts.get(resource).and_then(|of| of.get(project)).copied().unwrap_or_default()
    }

    /// Waits for the next change of anything.
    pub async fn next(&self) {
        self.changed.notified().await;
    }
}
