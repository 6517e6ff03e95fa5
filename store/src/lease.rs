//! Leases of claimed tasks, renewed for as long as whoever drives them lives.
//!
//! A claim is held by whoever has it. Those held for a third of their lease are renewed together, so
//! that a process of milliseconds never pays for it. Where the holder is gone, the lease ends by
//! itself; where another has taken the task, the holder is told that it has lost it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use mesh::CancellationToken;
use tokio::time::{Instant, sleep_until};

use crate::error::Error;
use crate::runner::describe;
use crate::statement::Statement;
use crate::store::{Inner, Store};
use crate::tasks::micros;

/// How long a claimed task is its holder's without renewal, when nothing else is said: so long does
/// nobody go on with it after a process has died.
pub const DEFAULT_TASK_LEASE: Duration = Duration::from_secs(10);
/// A lease is renewed when this part of it is over, and failing that, again after as long.
const RENEWED_AFTER: u32 = 3;

/// The right to do a task: a lease, with the number of its taking. An older claim is refused.
///
/// The lease is renewed until the last clone is dropped, the task is ended, or another has taken it.
#[derive(Debug, Clone)]
pub struct Claim {
    held: Arc<Held>,
}

#[derive(Debug)]
pub(crate) struct Held {
    id: String,
    token: i64,
    ended: AtomicBool,
    lost: CancellationToken,
    /// When the lease ends, as far as this process knows.
    until: Mutex<Instant>,
}

impl Claim {
    pub(crate) fn new(id: impl Into<String>, token: i64, until: Instant) -> Self {
        let (ended, lost) = (AtomicBool::new(false), CancellationToken::new());
        Self { held: Arc::new(Held { id: id.into(), token, ended, lost, until: until.into() }) }
    }

    /// The id of the task.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.held.id
    }

    /// How often the task has been taken; a claim with a greater number makes this one void.
    #[must_use]
    pub fn token(&self) -> i64 {
        self.held.token
    }

    /// Refuses once the lease has ended: asked before each effect that another's would follow upon.
    pub fn check(&self) -> Result<(), Error> {
        if self.held.lost.is_cancelled() || Instant::now() >= self.held.until() {
            return Err(Error::LeaseLost(self.held.id.clone()));
        }
        Ok(())
    }

    /// Waits until another has taken the task.
    pub(crate) async fn lost(&self) {
        self.held.lost.cancelled().await;
    }

    /// Notes that another has taken the task.
    pub(crate) fn lose(&self) {
        self.held.lost.cancel();
    }

    /// Notes that a transaction has ended the claim.
    pub(crate) fn end(&self) {
        self.held.ended.store(true, Ordering::Release);
    }

    /// Whether a transaction has ended it: the task is done, or given to the runner.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.held.ended.load(Ordering::Acquire)
    }

    /// Notes that the lease ends later now.
    pub(crate) fn extend(&self, until: Instant) {
        let mut known = self.held.until.lock().unwrap_or_else(PoisonError::into_inner);
        *known = until.max(*known);
    }
}

impl Held {
    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The leases that a store renews.
#[derive(Debug)]
pub(crate) struct Leases {
    pub(crate) length: Duration,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Claims with the time at which each is renewed, the soonest first.
    held: VecDeque<(Instant, Weak<Held>)>,
    /// Whether a task renews them.
    busy: bool,
}

impl Leases {
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, queue: Mutex::default() }
    }

    /// When a lease ends that begins now.
    pub(crate) fn end(&self) -> Instant {
        Instant::now() + self.length
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, claim: Weak<Held>) -> bool {
        let at = Instant::now() + self.length / RENEWED_AFTER;
        let mut queue = self.queue();
        queue.held.push_back((at, claim));
        !std::mem::replace(&mut queue.busy, true)
    }

    /// When the next claim is renewed that somebody holds; none, and the task that renews ends.
    fn next(&self) -> Option<Instant> {
        let mut queue = self.queue();
        while queue.held.front().is_some_and(|(_, held)| held.strong_count() == 0) {
            queue.held.pop_front();
        }
        let next = queue.held.front().map(|(at, _)| *at);
        queue.busy = next.is_some();
        next
    }

    /// The claims whose time has come.
    fn due(&self) -> Vec<Claim> {
        let (mut queue, now) = (self.queue(), Instant::now());
        let mut due = Vec::new();
        while queue.held.front().is_some_and(|(at, _)| *at <= now) {
            let held = queue.held.pop_front().and_then(|(_, held)| held.upgrade());
            due.extend(held.map(|held| Claim { held }).filter(|claim| !claim.has_ended()));
        }
        due
    }
}

impl Store {
    /// Renews a claim from now on, for as long as somebody holds it.
    pub(crate) fn hold(&self, claim: &Claim) {
        if self.inner.leases.push(Arc::downgrade(&claim.held)) {
            tokio::spawn(renew(Arc::downgrade(&self.inner)));
        }
    }

    async fn renew_due(&self) {
        let claims = self.inner.leases.due();
        if claims.is_empty() {
            return;
        }
        let until = self.inner.leases.end();
        match self.renew_all(&claims, until).await {
            Ok(lost) => {
                for claim in lost {
                    // One that was ended meanwhile is not lost.
                    if !claim.has_ended() {
                        tracing::warn!(
                            service = self.service(),
                            task = claim.id(),
                            "a lease was lost"
                        );
                        claim.lose();
                    }
                }
            }
            Err(error) => {
                let (service, error) = (self.service(), describe(&error));
                tracing::warn!(service, error, claims = claims.len(), "leases were not renewed");
            }
        }
        for claim in claims.iter().filter(|claim| !claim.held.lost.is_cancelled()) {
            self.inner.leases.push(Arc::downgrade(&claim.held));
        }
    }

    /// Renews claims; answers those that are another's now.
    async fn renew_all<'c>(
        &self,
        claims: &'c [Claim],
        until: Instant,
    ) -> Result<Vec<&'c Claim>, Error> {
        let patience = self.inner.leases.length / RENEWED_AFTER;
        let mut connection = self.begin_within(Instant::now() + patience).await?;
        let mut lost = Vec::new();
        for claim in claims {
            if connection.execute(self.renewal(claim)).await? == 0 {
                lost.push(claim);
            }
        }
        connection.commit(RENEWAL).await?;
        for claim in claims.iter().filter(|claim| !lost.iter().any(|it| it.id() == claim.id())) {
            claim.extend(until);
        }
        Ok(lost)
    }

    /// What moves the end of a claim's lease, unless another has taken the task.
    pub(crate) fn renewal(&self, claim: &Claim) -> Statement {
        let until = self.inner.clock.now_micros().saturating_add(micros(self.inner.leases.length));
        Statement::new("UPDATE store_tasks SET due_time = $3 WHERE id = $1 AND token = $2")
            .bind(claim.id())
            .bind(claim.token())
            .bind(until)
    }
}

/// What the commits of renewals are counted under.
const RENEWAL: &str = "renew_leases";

/// Renews leases while there are any and the store is in use.
async fn renew(store: Weak<Inner>) {
    loop {
        let Some(next) = store.upgrade().and_then(|inner| inner.leases.next()) else { return };
        sleep_until(next).await;
        let Some(inner) = store.upgrade() else { return };
        Store { inner }.renew_due().await;
    }
}
