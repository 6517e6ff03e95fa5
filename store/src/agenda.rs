//! What the runner of this process knows of tasks without looking.
//!
//! Who commits a task that is due says which lane it is in, so that the runner asks for that lane alone and not for
//! all that there might be. What nobody here knows of (tasks of other processes, leases that ended) is found
//! by looking at everything: when somebody rings, when the next known task comes due, and now and then.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::priority::Priority;

/// Tasks of one kind and priority.
pub(crate) type Place = (&'static str, Priority);

/// Where the runner is to look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Everywhere,
    At(BTreeSet<Place>),
}

/// Where tasks may be due.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    known: Mutex<Known>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    due: BTreeSet<Place>,
    /// When the next task comes due that is not due yet, in microseconds since 1970.
    next: Option<i64>,
    /// When everything was last looked at; never, where somebody has asked for it since.
    looked: Option<Instant>,
}

impl Agenda {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something may be due, and nobody knows what.
    pub(crate) fn look(&self) {
        self.known().looked = None;
        self.changed.notify_one();
    }

    /// A task of a place comes due at a time, which may be now.
    pub(crate) fn expect(&self, place: Place, due: i64, now: i64) {
        if due > now {
            self.later(due);
        } else {
            self.remain([place]);
        }
        self.changed.notify_one();
    }

    /// What was to be looked at could not be.
    pub(crate) fn missed(&self) {
        self.known().looked = None;
    }

    /// Something comes due later.
    pub(crate) fn later(&self, due: i64) {
        let mut known = self.known();
        known.next = Some(known.next.map_or(due, |next| next.min(due)));
    }

    /// Tasks of these places are due that nobody has taken.
    pub(crate) fn remain(&self, places: impl IntoIterator<Item = Place>) {
        self.known().due.extend(places);
    }

    /// Waits until there is more to look at.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Where to look now. What is said from here on is for the next time, so this comes before the rows are read.
    pub(crate) fn take(&self, now: i64, poll: Duration) -> Look {
        let mut known = self.known();
        let due = std::mem::take(&mut known.due);
        let is_fresh = known.looked.is_some_and(|looked| looked.elapsed() < poll);
        if is_fresh && known.next.is_none_or(|next| next > now) {
            return Look::At(due);
        }
        known.looked = Some(Instant::now());
        known.next = None;
        Look::Everywhere
    }

    /// How long until the next task comes due, of those that are known.
    pub(crate) fn until_next(&self, now: i64) -> Duration {
        let next = self.known().next.map_or(i64::MAX, |next| next.saturating_sub(now));
        Duration::from_micros(u64::try_from(next).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(1);
    const MAIL: Place = ("mail", Priority::Usual);
    const REFUND: Place = ("refund", Priority::Interactive);

    #[tokio::test(start_paused = true)]
    async fn everything_is_looked_at_first_and_now_and_then() {
        let agenda = Agenda::default();
        assert_eq!(agenda.take(0, POLL), Look::Everywhere);
        assert_eq!(agenda.take(0, POLL), Look::At(BTreeSet::new()));

        tokio::time::advance(POLL).await;

        assert_eq!(agenda.take(0, POLL), Look::Everywhere);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_looked_for_where_it_is() {
        let agenda = Agenda::default();
        agenda.take(0, POLL);

        agenda.expect(MAIL, 0, 0);
        agenda.expect(REFUND, 0, 0);
        agenda.changed().await;

        assert_eq!(agenda.take(0, POLL), Look::At([MAIL, REFUND].into()));
        assert_eq!(agenda.take(0, POLL), Look::At(BTreeSet::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_due_later_is_found_when_it_does() {
        let agenda = Agenda::default();
        agenda.take(0, POLL);

        agenda.expect(MAIL, 500, 0);

        assert_eq!(agenda.until_next(100), Duration::from_micros(400));
        assert_eq!(agenda.take(499, POLL), Look::At(BTreeSet::new()));
        assert_eq!(agenda.take(500, POLL), Look::Everywhere);
        assert_eq!(agenda.until_next(500), Duration::from_micros(i64::MAX.unsigned_abs()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_knows_no_place_has_everything_looked_at() {
        let agenda = Agenda::default();
        agenda.take(0, POLL);

        agenda.look();

        agenda.changed().await;
        assert_eq!(agenda.take(0, POLL), Look::Everywhere);
    }
}
