//! Locks that one replica of a mesh has at a time, each with a fence.
//!
//! A lock ends by itself when its holder is gone. So a holder that was only slow may go on when another has begun, and
//! no lock can keep it from that. What protects is the fence: a number that is greater than that of every holder
//! before. Whatever is changed under a lock remembers the greatest that it has seen, and refuses a smaller one.
//!
//! Invariant: whoever cannot know whether another has a lock is told so, and decides without it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use crate::replicas::{Grant, SharedLocks, Taken};

/// A lock is renewed when this part of its time is over, and failing that, again after as long.
const RENEWED_AFTER: u32 = 3;

/// The locks of a process: shared with all replicas where something keeps them, its own otherwise.
#[derive(Clone)]
pub struct Locks {
    shared: Option<Arc<dyn SharedLocks>>,
    here: Arc<Here>,
}

impl std::fmt::Debug for Locks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locks").field("shared", &self.shared.is_some()).finish_non_exhaustive()
    }
}

/// What somebody is told who asks for a lock.
#[derive(Debug)]
pub enum Turn {
    /// It is theirs.
    Ours(Lock),
    /// Another has it.
    Anothers,
    /// Nobody knows at the moment.
    Unknown,
}

/// A lock that is held: renewed until it is dropped, given up, or lost to another.
#[derive(Debug)]
pub struct Lock {
    fence: u64,
    lost: CancellationToken,
    way: Way,
}

enum Way {
    Shared { shared: Arc<dyn SharedLocks>, grant: Grant, _renewed: DropGuard },
    Here { _place: Place },
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shared { grant, .. } => f.debug_tuple("Shared").field(grant).finish(),
            Self::Here { .. } => f.write_str("Here"),
        }
    }
}

/// Locks of one process.
#[derive(Debug)]
struct Here {
    clock: Clock,
    held: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    held: HashSet<String>,
    /// The greatest that was given.
    fence: u64,
}

/// A name that is held in this process until this is dropped.
#[derive(Debug)]
struct Place {
    here: Arc<Here>,
    name: String,
}

impl Locks {
    /// Locks by what all replicas share, where there is something.
    #[must_use]
    pub fn new(shared: Option<Arc<dyn SharedLocks>>, clock: Clock) -> Self {
        Self { shared, here: Arc::new(Here { clock, held: Mutex::default() }) }
    }

    /// Asks for a lock, once. It ends so long after its holder was last heard of.
    pub async fn take(&self, name: &str, lasts: Duration) -> Turn {
        let Some(shared) = &self.shared else { return self.here.take(name) };
        let grant = Grant {
            name: name.to_owned(),
            owner: format!("{:032x}", rand::random::<u128>()),
            fence: 0,
        };
        // It ends here before it ends there, by how long the answer takes.
        let until = Instant::now() + lasts;
        match shared.take(&grant.name, &grant.owner, lasts).await {
            Some(Taken::Ours { fence }) => {
                let grant = Grant { fence, ..grant };
                Turn::Ours(Lock::shared(Arc::clone(shared), grant, lasts, until))
            }
            Some(Taken::Anothers) => Turn::Anothers,
            None => Turn::Unknown,
        }
    }
}

impl Here {
    fn take(self: &Arc<Self>, name: &str) -> Turn {
        let mut names = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.held.insert(name.to_owned()) {
            return Turn::Anothers;
        }
        // Greater than those of the processes before, which are remembered beside what they changed.
        let now = u64::try_from(self.clock.now_micros()).unwrap_or_default();
        names.fence = now.max(names.fence + 1);
        let place = Place { here: Arc::clone(self), name: name.to_owned() };
        let (fence, lost) = (names.fence, CancellationToken::new());
        Turn::Ours(Lock { fence, lost, way: Way::Here { _place: place } })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut names = self.here.held.lock().unwrap_or_else(PoisonError::into_inner);
        names.held.remove(&self.name);
    }
}

impl Lock {
    fn shared(shared: Arc<dyn SharedLocks>, grant: Grant, lasts: Duration, until: Instant) -> Self {
        let (lost, dropped) = (CancellationToken::new(), CancellationToken::new());
        let renewing = renew(Arc::clone(&shared), grant.clone(), lasts, until, lost.clone());
        let (fence, renewed) = (grant.fence, dropped.clone().drop_guard());
        tokio::spawn(async move { dropped.run_until_cancelled(renewing).await });
        Self { fence, lost, way: Way::Shared { shared, grant, _renewed: renewed } }
    }

    /// The number by which whatever is changed under the lock knows its holders: greater than any before.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Whether it is held still, as far as anybody here knows. Only the fence is sure.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.lost.is_cancelled()
    }

    /// Waits until it is held no more.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Gives it up, for the next one at once.
    pub async fn release(self) {
        if let Way::Shared { shared, grant, .. } = &self.way {
            shared.release(grant).await;
        }
    }
}

/// Renews a lock until it is lost.
async fn renew(
    shared: Arc<dyn SharedLocks>,
    grant: Grant,
    lasts: Duration,
    mut until: Instant,
    lost: CancellationToken,
) {
    loop {
        sleep_until(until.min(Instant::now() + lasts / RENEWED_AFTER)).await;
        let asked = Instant::now();
        match shared.renew(&grant, lasts).await {
            Some(true) => until = asked + lasts,
            // Nobody knows. What is left of its time is left.
            None if Instant::now() < until => {}
            Some(false) | None => break,
        }
    }
    tracing::warn!(lock = grant.name, fence = grant.fence, "a lock was lost");
    lost.cancel();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(turn: Turn) -> Lock {
        match turn {
            Turn::Ours(lock) => lock,
            turn => panic!("{turn:?}"),
        }
    }

    #[tokio::test]
    async fn alone_a_process_gives_each_lock_to_one_at_a_time_with_growing_fences() {
        let locks = Locks::new(None, Clock::at(1_000));

        let first = ours(locks.take("backups", Duration::from_secs(1)).await);
        let another = locks.clone().take("backups", Duration::from_secs(1)).await;
        assert!(matches!(another, Turn::Anothers), "{another:?}");
        let beside = ours(locks.take("index", Duration::from_secs(1)).await);
        assert!(first.is_held() && first.fence() < beside.fence());

        let fence = first.fence();
        first.release().await;
        assert!(ours(locks.take("backups", Duration::from_secs(1)).await).fence() > fence);
    }

    /// Answers as it is told.
    struct Told(Mutex<Vec<Option<bool>>>);

    #[async_trait::async_trait]
    impl SharedLocks for Told {
        async fn take(&self, _: &str, _: &str, _: Duration) -> Option<Taken> {
            Some(Taken::Ours { fence: 7 })
        }

        async fn renew(&self, _: &Grant, _: Duration) -> Option<bool> {
            self.0.lock().unwrap().pop().unwrap_or_default()
        }

        async fn release(&self, _: &Grant) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_outlives_a_moment_in_which_nobody_knows_and_not_all_of_its_time() {
        let told = Told(Mutex::new(vec![Some(true), None, Some(true)]));
        let locks = Locks::new(Some(Arc::new(told)), Clock::at(0));
        let begun = Instant::now();

        let lock = ours(locks.take("backups", Duration::from_secs(9)).await);
        lock.lost().await;

        // Renewed at 3 s and at 9 s, and at no time after.
        assert_eq!(begun.elapsed(), Duration::from_secs(18));
        assert!(!lock.is_held());
    }
}
