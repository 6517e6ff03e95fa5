//! Answers that are being made: whoever asks the same meanwhile waits for the first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

type UnderWay<K> = Arc<Mutex<HashMap<K, watch::Receiver<()>>>>;

/// What is being made, by what it is made for.
#[derive(Debug)]
pub(super) struct Flights<K: Eq + Hash> {
    under_way: UnderWay<K>,
}

/// Something being made; dropped, it is made, or will not be.
pub(super) struct Flight<K: Eq + Hash> {
    key: K,
    under_way: UnderWay<K>,
    /// Whoever waits is woken by its end.
    _made: watch::Sender<()>,
}

impl<K: Eq + Hash + Clone> Flights<K> {
    pub(super) fn new() -> Self {
        Self { under_way: Arc::default() }
    }

    /// Begins to make something, or says when whoever has begun is done.
    pub(super) fn begin(&self, key: &K) -> Result<Flight<K>, watch::Receiver<()>> {
        let mut under_way = lock(&self.under_way);
        if let Some(ends) = under_way.get(key) {
            return Err(ends.clone());
        }
        let (made, ended) = watch::channel(());
        under_way.insert(key.clone(), ended);
        drop(under_way);
        Ok(Flight { key: key.clone(), under_way: Arc::clone(&self.under_way), _made: made })
    }
}

impl<K: Eq + Hash> Drop for Flight<K> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}

fn lock<K>(
    under_way: &Mutex<HashMap<K, watch::Receiver<()>>>,
) -> MutexGuard<'_, HashMap<K, watch::Receiver<()>>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_begins_and_the_others_wait_until_it_ends() {
        let flights = Flights::new();

        let first = flights.begin(&"one").ok().unwrap();
        let mut ends = flights.begin(&"one").err().unwrap();
        assert!(flights.begin(&"two").is_ok(), "another does not wait");
        drop(first);

        assert!(ends.changed().await.is_err(), "it has ended");
        assert!(flights.begin(&"one").is_ok());
    }
}
