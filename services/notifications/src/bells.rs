//! Who waits for a customer's notifications in this process, and how they are woken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use mesh::CancellationToken;
use tokio::sync::Notify;

/// A customer in a project.
type Key = (String, String);

/// A bell for each customer that someone waits for. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bells {
    hung: Arc<Mutex<HashMap<Key, Weak<Notify>>>>,
    closed: CancellationToken,
}

/// One who waits; the bell is taken down with the last.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) bell: Arc<Notify>,
    /// Cancelled when nobody will ring any more.
    pub(crate) closed: CancellationToken,
    key: Key,
    bells: Bells,
}

impl Bells {
    /// Waits for a customer's notifications from now on.
    pub(crate) fn listen(&self, project: &str, customer_id: &str) -> Listener {
        let key = (project.to_owned(), customer_id.to_owned());
        let mut hung = self.hung();
        let bell = hung.get(&key).and_then(Weak::upgrade).unwrap_or_default();
        hung.insert(key.clone(), Arc::downgrade(&bell));
        drop(hung);
        Listener { bell, closed: self.closed.clone(), key, bells: self.clone() }
    }

    /// Says that a customer has new notifications.
    pub(crate) fn ring(&self, project: &str, customer_id: &str) {
        let hung = self.hung();
        let key = (project.to_owned(), customer_id.to_owned());
        if let Some(bell) = hung.get(&key).and_then(Weak::upgrade) {
            bell.notify_waiters();
        }
    }

    /// Ends all waiting.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    fn hung(&self) -> MutexGuard<'_, HashMap<Key, Weak<Notify>>> {
        self.hung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut hung = self.bells.hung();
        if Arc::strong_count(&self.bell) == 1 {
            hung.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bell_rings_for_its_customer_alone() {
        let bells = Bells::default();
        let (one, other) = (bells.listen("p", "usr_1"), bells.listen("p", "usr_2"));
        let mut rung = waiting_for(&one);
        let mut silent = waiting_for(&other);

        bells.ring("p", "usr_1");
        bells.ring("q", "usr_2");

        assert!(futures_util::FutureExt::now_or_never(rung.as_mut()).is_some());
        assert!(futures_util::FutureExt::now_or_never(silent.as_mut()).is_none());
    }

    #[test]
    fn a_bell_is_taken_down_with_its_last_listener() {
        let bells = Bells::default();
        let (first, second) = (bells.listen("p", "usr_1"), bells.listen("p", "usr_1"));

        drop(first);
        assert_eq!(bells.hung().len(), 1);
        drop(second);
        assert!(bells.hung().is_empty());
    }

    fn waiting_for(listener: &Listener) -> std::pin::Pin<Box<tokio::sync::futures::Notified<'_>>> {
        let mut waiting = Box::pin(listener.bell.notified());
        waiting.as_mut().enable();
        waiting
    }
}
