//! Whoever lets faults happen: it stands on every channel and at every commit of the mesh.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use mesh::chaos::{Making, Told};
use mesh::policy::Policies;
use mesh::{Channel, Chaos, async_trait};
use tokio::sync::{Notify, oneshot};
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use crate::fault::{Fault, Place, Weather};
use crate::planted::Bug;
use crate::way;

/// What the contracts say of every RPC: which may come twice.
static POLICIES: LazyLock<Option<Policies>> =
    LazyLock::new(|| Policies::read(&[contract::DESCRIPTORS, tradewind::DESCRIPTORS]).ok());

/// The longest that a call is held, in calls of others.
const LONGEST_HOLD: u64 = 24;

/// Lets the faults of one history happen. Clones are the same; it outlives every death of the mesh.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    weather: Weather,
    bug: Option<Bug>,
    /// No faults happen: before the history begins, and once it is over.
    calm: AtomicBool,
    /// How often each site was passed.
    passings: Mutex<HashMap<String, u64>>,
    /// Calls that have gone out.
    calls: AtomicU64,
    /// Calls that are held until so many have gone out.
    held: Mutex<BTreeMap<(u64, u64), oneshot::Sender<()>>>,
    deaths: AtomicU64,
    dying: AtomicBool,
    killed: Notify,
    /// What happened where.
    trace: Mutex<Vec<String>>,
    lies: Mutex<Vec<Lie>>,
}

/// An attempt of which the provider said the opposite.
#[derive(Debug, Clone)]
pub(crate) struct Lie {
    pub(crate) attempt_id: String,
    /// What came of it, as payments would have it in its table.
    pub(crate) truth: &'static str,
}

impl Agent {
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut weather = Weather::of(seed);
        // Only a provider that lies can hide it.
        weather.lies |= bug == Some(Bug::HidesLies);
        let inner = Inner {
            weather,
            bug,
            calm: AtomicBool::new(true),
            passings: Mutex::default(),
            calls: AtomicU64::new(0),
            held: Mutex::default(),
            deaths: AtomicU64::new(0),
            dying: AtomicBool::new(false),
            killed: Notify::new(),
            trace: Mutex::default(),
            lies: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Lets faults happen from now on, or no more.
    pub(crate) fn calm(&self, calm: bool) {
        self.inner.calm.store(calm, Ordering::SeqCst);
        if calm {
            while self.release_one() {}
        }
    }

    /// Draws what happens at a site, and notes it.
    pub(crate) fn draw(&self, place: Place, site: &str) -> Option<(Fault, u64)> {
        if self.inner.calm.load(Ordering::SeqCst) {
            return None;
        }
        let passing = {
            let mut passings = locked(&self.inner.passings);
            let passing = passings.entry(site.to_owned()).or_default();
            *passing += 1;
            *passing
        };
        let (fault, lot) = self.inner.weather.draw(place, site, passing)?;
        if fault.kills() {
            let deaths = &self.inner.deaths;
            if deaths.fetch_add(1, Ordering::SeqCst) >= self.inner.weather.deaths {
                return None;
            }
        }
        self.note(format!("{site} #{passing}: {}", fault.name()));
        Some((fault, lot))
    }

    /// Writes into the trace.
    pub(crate) fn note(&self, text: String) {
        locked(&self.inner.trace).push(text);
    }

    /// What happened, in its order.
    pub(crate) fn trace(&self) -> Vec<String> {
        locked(&self.inner.trace).clone()
    }

    /// Whether a bug is planted.
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.inner.bug == Some(bug) && !self.inner.calm.load(Ordering::SeqCst)
    }

    pub(crate) fn bug(&self) -> Option<Bug> {
        self.inner.bug
    }

    /// Notes that the provider has said the opposite of what it did.
    pub(crate) fn lied(&self, lie: Lie) {
        locked(&self.inner.lies).push(lie);
    }

    pub(crate) fn lies(&self) -> Vec<Lie> {
        locked(&self.inner.lies).clone()
    }

    /// Kills the mesh: whoever runs it lets go of all of it, and nobody goes on from here.
    pub(crate) async fn kill<T>(&self) -> T {
        self.inner.dying.store(true, Ordering::SeqCst);
        self.inner.killed.notify_one();
        std::future::pending().await
    }

    /// Waits until the mesh is killed.
    pub(crate) async fn killed(&self) {
        while !self.inner.dying.swap(false, Ordering::SeqCst) {
            self.inner.killed.notified().await;
        }
        locked(&self.inner.held).clear();
    }

    /// Waits until some calls of others have gone out, or nothing else goes on.
    pub(crate) async fn hold(&self, lot: u64) {
        let until = self.inner.calls.load(Ordering::SeqCst) + 1 + lot % LONGEST_HOLD;
        let (release, released) = oneshot::channel();
        locked(&self.inner.held).insert((until, lot), release);
        let _ = released.await;
    }

    /// Lets the call go on that has waited for the fewest; whether there was one.
    pub(crate) fn release_one(&self) -> bool {
        let mut held = locked(&self.inner.held);
        // Whoever has given up waiting is not there any more.
        while let Some((_, release)) = held.pop_first() {
            if release.send(()).is_ok() {
                return true;
            }
        }
        false
    }

    /// How many calls have gone out: where this stands still, nothing goes on.
    pub(crate) fn calls(&self) -> u64 {
        self.inner.calls.load(Ordering::SeqCst)
    }

    /// Counts a call, and lets those go on that have waited for it.
    pub(crate) fn pass(&self) {
        let passed = self.inner.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let mut held = locked(&self.inner.held);
        while let Some(first) = held.first_entry().filter(|first| first.key().0 <= passed) {
            let _ = first.remove().send(());
        }
    }
}

#[async_trait]
impl Chaos for Agent {
    fn way(&self, service: &'static str, channel: Channel) -> Channel {
        let agent = self.clone();
        BoxCloneSyncService::new(service_fn(move |request| {
            way::call(agent.clone(), service, channel.clone(), request)
        }))
    }

    async fn commit(&self, service: &'static str, method: &str, making: Making<'_>) -> Told {
        let method = way::short(method);
        if self.has(Bug::PretendsCommits)
            && (service, method) == ("notifications", "OrderConfirmed")
        {
            return Told::Made;
        }
        match self.draw(Place::Commit, &format!("commit {service} {method}")) {
            Some((Fault::CommitRefused, _)) => Told::Lost,
            Some((Fault::CommitLost, _)) => {
                making.await;
                Told::Lost
            }
            Some((Fault::KilledBefore, _)) => self.kill().await,
            Some((Fault::KilledAfter, _)) => {
                making.await;
                self.kill().await
            }
            Some(_) | None => {
                making.await;
                Told::Truth
            }
        }
    }
}

/// What a lock guards, even if whoever held it panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a call may come twice.
pub(crate) fn is_repeatable(path: &str, has_key: bool) -> bool {
    let method = POLICIES.as_ref().and_then(|policies| policies.method(path));
    method.is_some_and(|method| method.is_safe_to_repeat(has_key))
}
