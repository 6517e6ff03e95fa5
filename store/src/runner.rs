//! Tasks done: each by one process at a time, until it succeeds or has failed too often.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use mesh::caller::DEFAULT_PROJECT;
use mesh::trace::Recording;
use mesh::{Caller, CancellationToken, Context, Status};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::backlog::Backlog;
use crate::error::Error;
use crate::forget::{self, FORGET};
use crate::lease::Claim;
use crate::perform::{Done, Handler, LONGEST};
use crate::publisher;
use crate::schedule::Schedule;
use crate::scheduler::Scheduler;
use crate::store::Store;
use crate::tasks::Task;
use crate::work::{Kind, Work};

const MOST_AT_ONCE: usize = 16;

type Sweep = Arc<dyn Fn(Context) -> Done + Send + Sync>;

/// Does a store's tasks, empties its outbox, and does what is scheduled.
pub struct Runner {
    store: Store,
    kinds: HashMap<&'static str, Kind>,
    schedules: Vec<(&'static str, Schedule)>,
    sweeps: Vec<(Duration, &'static str, Sweep)>,
    most: usize,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("kinds", &self.kinds.keys()).finish_non_exhaustive()
    }
}

impl Runner {
    pub(crate) fn new(store: Store) -> Self {
        let forgetful = store.clone();
        let runner = Self {
            store,
            kinds: HashMap::new(),
            schedules: Vec::new(),
            sweeps: Vec::new(),
            most: MOST_AT_ONCE,
        };
        runner.schedule(Schedule::every(Duration::from_hours(1)), FORGET, move |context, _| {
            let store = forgetful.clone();
            async move { Ok(forget::forget(&store, &context).await?) }
        })
    }

    /// Does tasks of one kind: `|context, task: Refund, claim| async move { … }`.
    ///
    /// The handler calls as the service, on behalf of the customer for whom the task was started.
    /// It may end the task in the transaction of its effect with [`crate::Tx::finish`]; a task that
    /// it leaves is ended when it succeeds, and done again later when it fails.
    #[must_use]
    pub fn on<T, F, Fut>(self, handler: F) -> Self
    where
        T: Task + 'static,
        F: Fn(Context, T, Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.on_at_most(usize::MAX, handler)
    }

    /// The same, at most so many of the kind at once, where what they need is scarce.
    #[must_use]
    pub fn on_at_most<T, F, Fut>(self, most: usize, handler: F) -> Self
    where
        T: Task + 'static,
        F: Fn(Context, T, Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let handler = move |context, payload: &str, claim| match serde_json::from_str(payload) {
            Ok(task) => handler(context, task, claim).boxed(),
            Err(error) => {
                let error = Error::Encoding(Box::new(error));
                futures_util::future::ready(Err(error.into())).boxed()
            }
        };
        self.does(T::KIND, most, Arc::new(handler))
    }

    fn does(mut self, kind: &'static str, most: usize, handler: Handler) -> Self {
        self.kinds.insert(kind, Kind::new(handler, most.max(1)));
        self
    }

    /// Does something by the clock of a time zone, once for all replicas: `0 3 * * *` in `Europe/Berlin`
    /// is three in the morning there.
    pub fn cron<F, Fut>(
        self,
        expression: &str,
        zone: &str,
        name: &'static str,
        handler: F,
    ) -> Result<Self, Error>
    where
        F: Fn(Context, Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        Ok(self.schedule(Schedule::cron(expression, zone)?, name, handler))
    }

    /// Does something by a schedule, once for all replicas.
    ///
    /// A firing is a task of the kind that the schedule is called by: it has a claim, is tried again
    /// when it fails, and is listed with the others. One that was missed, because nobody ran, happens
    /// once as soon as somebody does.
    #[must_use]
    pub fn schedule<F, Fut>(mut self, schedule: Schedule, name: &'static str, handler: F) -> Self
    where
        F: Fn(Context, Claim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.schedules.retain(|(other, _)| *other != name);
        self.schedules.push((name, schedule));
        let handler = move |context, _: &str, claim| handler(context, claim).boxed();
        self.does(name, usize::MAX, Arc::new(handler))
    }

    /// Does something again and again on every replica: what each must do for itself, or what costs
    /// less than agreeing on who does it.
    #[must_use]
    pub fn every<F, Fut>(mut self, period: Duration, name: &'static str, sweep: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.sweeps.push((period, name, Arc::new(move |context| sweep(context).boxed())));
        self
    }

    /// Does at most so many tasks at once, 16 when nothing is said. Of these each kind of which none
    /// runs keeps one.
    #[must_use]
    pub fn at_once(mut self, most: usize) -> Self {
        self.most = most.max(1);
        self
    }

    /// Runs until it is told to stop. It takes nothing more then; what runs may go on for
    /// [`crate::Pace::grace`], and what is not done by then is left to other replicas at once.
    pub async fn run(self, stop: CancellationToken) {
        let Self { store, kinds, schedules, sweeps, most } = self;
        if let Some(bells) = &store.inner.pools.bells {
            bells.follow(store.service(), &store.inner.tasks);
        }
        let mut loops = JoinSet::new();
        loops.spawn(publisher::run(store.clone(), stop.clone()));
        loops.spawn(Scheduler::new(store.clone(), schedules).run(stop.clone()));
        for (period, name, sweep) in sweeps {
            loops.spawn(repeat(store.clone(), period, name, sweep, stop.clone()));
        }
        let backlog = Backlog::new(store.clone(), kinds.keys().copied());
        loops.spawn(backlog.run(stop.clone()));
        let work = Work::new(store, kinds, most);
        loops.spawn(async move { work.run(stop).await });
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a loop of the runner ended early");
            }
        }
    }
}

async fn repeat(
    store: Store,
    period: Duration,
    name: &'static str,
    sweep: Sweep,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(sleep(period)).await.is_some() {
        let span = Recording::begun(name);
        let caller = Caller::service(store.service(), DEFAULT_PROJECT, None);
        let context = Context::new(caller, name, &span).until(Instant::now() + LONGEST);
        if let Err(status) = span.follow(sweep(context)).await {
            tracing::warn!(
                service = store.service(),
                name,
                error = status.message(),
                "sweep failed"
            );
        }
    }
}

/// What a row keeps of a failure.
pub(crate) fn shorten(status: &Status) -> String {
    let text = format!("{:?}: {}", status.code(), status.message());
    text[..text.floor_char_boundary(1000)].replace('\0', "")
}

/// An error with its causes, for the log.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
