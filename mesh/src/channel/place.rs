//! How many calls a channel has under way, and how many it may have (gRFC A32).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls under way at once on one channel; more are refused and never tried again: whoever is behind has
/// enough to do.
const MOST: usize = 1024;

/// The calls of one channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    taken: Arc<AtomicUsize>,
}

/// One call's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<AtomicUsize>,
}

impl Places {
    /// A place, where there is one.
    pub(super) fn take(&self) -> Option<Place> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Place { taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let places = Places::default();

        let mut taken: Vec<_> = (0..MOST).map_while(|_| places.take()).collect();
        let full = places.take().is_none();
        taken.pop();

        assert_eq!((taken.len(), full), (MOST - 1, true));
        assert!(places.take().is_some());
    }
}
