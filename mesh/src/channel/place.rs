//! How many calls a channel has under way, and how many it may have (gRFC A32).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::linked::Link;
use crate::channelz::Channel as Listed;

/// Calls under way at once on one channel; more are refused and never tried again: whoever is behind has
/// enough to do.
const MOST: usize = 1024;

/// The calls of one channel.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    taken: Arc<AtomicUsize>,
    /// Where operators see them counted.
    listed: Option<Arc<Listed>>,
}

/// One call's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    succeeded: AtomicBool,
    /// Ends the stream that the call sends.
    stream: Option<Link>,
}

impl Places {
    pub(super) fn new(listed: Option<Arc<Listed>>) -> Self {
        Self { taken: Arc::default(), listed }
    }

    /// A place, where there is one.
    pub(super) fn take(&self) -> Option<Place> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        if let Some(listed) = &self.listed {
            listed.calls().start();
        }
        Some(Place { places: self.clone(), succeeded: AtomicBool::new(false), stream: None })
    }
}

impl Place {
    /// The same place of a call that sends a stream.
    pub(super) fn sending(mut self, stream: Link) -> Self {
        self.stream = Some(stream);
        self
    }

    /// The call has come to a good end.
    pub(super) fn succeeded(&self) {
        self.succeeded.store(true, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stream.take();
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        if let Some(listed) = &self.places.listed {
            listed.calls().end(self.succeeded.load(Ordering::Relaxed));
        }
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
