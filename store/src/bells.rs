//! Replicas wake each other: who has more tasks than it can do rings, and runners elsewhere look at once.
//!
//! PostgreSQL carries it. A NOTIFY takes a lock of the whole server until its transaction is committed,
//! so it is sent after the commit of what it tells of, on its own, and once for many. Where a ring is
//! lost, because a process ended or a connection was cut, whoever looks now and then finds the rows.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mesh::CancellationToken;
use sqlx::postgres::PgListener;
use tokio::time::{Instant, sleep};

use crate::agenda::Agenda;
use crate::connection::Connection;
use crate::database::PATIENCE;
use crate::error::Error;
use crate::pool::Pool;
use crate::runner::describe;

const CHANNEL: &str = "tradewind_tasks";
/// Rings within this time are one.
const GAP: Duration = Duration::from_millis(10);
/// How long to wait before a server is listened to again that could not be.
const PAUSE: Duration = Duration::from_secs(1);

/// The bells of one process at one server, shared by its services.
#[derive(Debug)]
pub(crate) struct Bells {
    pool: Pool,
    url: String,
    /// Tells its own rings from those of others.
    process: String,
    state: Mutex<State>,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    /// Who is woken when a service's bell rings.
    followers: HashMap<&'static str, Vec<Weak<Agenda>>>,
    listens: bool,
    /// Services whose bells are still to be rung.
    ringing: BTreeSet<&'static str>,
    sends: bool,
}

impl Drop for Bells {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Bells {
    pub(crate) fn new(pool: Pool, url: String) -> Arc<Self> {
        let process = format!("{:016x}", rand::random::<u64>());
        let (state, closed) = (Mutex::default(), CancellationToken::new());
        Arc::new(Self { pool, url, process, state, closed })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes somebody whenever another process rings for a service.
    pub(crate) fn follow(self: &Arc<Self>, service: &'static str, woken: &Arc<Agenda>) {
        let mut state = self.state();
        state.followers.entry(service).or_default().push(Arc::downgrade(woken));
        if !std::mem::replace(&mut state.listens, true) {
            let (bells, url) = (Arc::downgrade(self), self.url.clone());
            let closed = self.closed.clone();
            tokio::spawn(async move { closed.run_until_cancelled(listen(bells, url)).await });
        }
    }

    /// Rings for a service, soon.
    pub(crate) fn ring(self: &Arc<Self>, service: &'static str) {
        let mut state = self.state();
        state.ringing.insert(service);
        if !std::mem::replace(&mut state.sends, true) {
            tokio::spawn(send(Arc::clone(self)));
        }
    }

    /// Rings for a service, and waits until it is said.
    pub(crate) async fn ring_now(&self, service: &'static str) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        let mut connection =
            Connection::take(&self.pool, service, &Arc::default(), deadline).await?;
        connection.raw(format!("NOTIFY {CHANNEL}, '{service} {}'", self.process)).await
    }

    /// Wakes who follows a service; all when it is not known for which of them a ring was lost.
    fn wake(&self, service: Option<&str>) {
        let mut state = self.state();
        for (name, woken) in &mut state.followers {
            if service.is_none_or(|service| service == *name) {
                woken.retain(|woken| woken.upgrade().map(|woken| woken.look()).is_some());
            }
        }
    }

    fn heard(&self, said: &str) {
        match said.split_once(' ') {
            Some((_, process)) if process == self.process => {}
            Some((service, _)) => self.wake(Some(service)),
            None => self.wake(None),
        }
    }

    /// The services to ring for; none, and the task that rings ends.
    fn next(&self) -> BTreeSet<&'static str> {
        let mut state = self.state();
        let next = std::mem::take(&mut state.ringing);
        state.sends = !next.is_empty();
        next
    }
}

/// Rings until nothing is left to ring for.
async fn send(bells: Arc<Bells>) {
    loop {
        let services = bells.next();
        if services.is_empty() {
            return;
        }
        for service in services {
            if let Err(error) = bells.ring_now(service).await {
                // Who looks now and then finds the tasks.
                tracing::debug!(service, error = describe(&error), "others were not woken");
            }
        }
        sleep(GAP).await;
    }
}

/// Listens, and again when the connection is lost.
async fn listen(bells: Weak<Bells>, url: String) {
    loop {
        if let Err(error) = hear(&bells, &url).await {
            tracing::warn!(error = describe(&error), "other replicas are not heard for now");
        }
        if bells.strong_count() == 0 {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Hears rings until the connection is lost for good, or nobody is left to wake.
async fn hear(bells: &Weak<Bells>, url: &str) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    // Whatever was said before is not heard again.
    let mut said: Option<String> = None;
    loop {
        let Some(bells) = bells.upgrade() else { return Ok(()) };
        match said {
            Some(ring) => bells.heard(&ring),
            None => bells.wake(None),
        }
        drop(bells);
        said = listener.try_recv().await?.map(|ring| ring.payload().to_owned());
    }
}
