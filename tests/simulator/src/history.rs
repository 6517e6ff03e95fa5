//! One history: its inputs under its faults, over every death of the mesh, until all has come to rest.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::join_all;
use harness::Harness;
use mesh::Clock;
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::agent::Agent;
use crate::check::{self, Broken};
use crate::customers::Customers;
use crate::fault::mix;
use crate::inputs::{Inputs, Turn};
use crate::planted::Bug;
use crate::world::{Template, beginning};
use crate::{quiet, time, world};

/// How long a life of a history may take, in real time, before it counts as stuck: a hundred times as long as it does,
/// since others may want the processors too.
const PATIENCE: Duration = Duration::from_mins(5);

/// What came of a history.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) broken: Vec<Broken>,
    /// The faults that were injected, in their order.
    pub(crate) trace: Vec<String>,
    pub(crate) acts: usize,
    pub(crate) lives: u64,
    pub(crate) took: Duration,
    /// The databases, as the history left them.
    pub(crate) directory: TempDir,
}

/// What outlives every death of the mesh.
struct History {
    seed: u64,
    directory: TempDir,
    clock: Clock,
    agent: Agent,
    customers: Customers,
    turns: Vec<Turn>,
    /// The turn that is next, or was cut off.
    turn: AtomicUsize,
}

/// Runs the history of a seed.
pub(crate) fn run(template: &Template, seed: u64, bug: Option<Bug>) -> Result<Outcome> {
    play(template, seed, bug, Inputs::of(seed))
}

/// A history in which nobody does anything.
pub(crate) fn empty(template: &Template) -> Result<()> {
    play(template, 0, None, Inputs { acts: Vec::new(), turns: Vec::new() }).map(drop)
}

fn play(template: &Template, seed: u64, bug: Option<Bug>, inputs: Inputs) -> Result<Outcome> {
    let began = Instant::now();
    let Inputs { acts, turns } = inputs;
    let count = acts.len();
    let history = History {
        seed,
        directory: template.copy()?,
        clock: beginning(),
        agent: Agent::new(seed, bug),
        customers: Customers::new(acts, template.variants.clone()),
        turns,
        turn: AtomicUsize::new(0),
    };
    let mut lives = 0;
    let broken = loop {
        lives += 1;
        if let Some(broken) = history.live(lives)? {
            break broken;
        }
    };
    let trace = history.agent.trace();
    let (took, directory) = (began.elapsed(), history.directory);
    Ok(Outcome { seed, broken, trace, acts: count, lives, took, directory })
}

impl History {
    /// One life of the mesh; what is broken once it has come to its end, and nothing if it was killed.
    fn live(&self, life: u64) -> Result<Option<Vec<Broken>>> {
        // A runtime of its own: what is killed leaves nothing behind but files.
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build()?;
        let lives = OnceLock::new();
        let ended = runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.agent.killed() => Ok(None),
                ended = self.go_on(life, &lives) => ended.map(Some),
            }
        });
        runtime.shutdown_background();
        lives.get().into_iter().for_each(Harness::close);
        ended
    }

    async fn go_on(&self, life: u64, lives: &OnceLock<Harness>) -> Result<Vec<Broken>> {
        let Self { agent, clock, .. } = self;
        agent.calm(true);
        let mut ticks = time::ticks();
        let seed = mix(self.seed, life);
        let opening = world::start(self.directory.path(), clock, seed, agent);
        let started = time::open(&mut ticks, opening).await?;
        let harness = lives.get_or_init(|| started);
        tokio::select! {
            broken = self.play(harness) => broken,
            () = time::pass(ticks, harness, agent, PATIENCE) => {
                let text = format!("the history does not end in {} s", PATIENCE.as_secs());
                Ok(vec![Broken::new("nothing is stuck", "", text)])
            }
        }
    }

    /// Everything from the turn on that is next.
    async fn play(&self, harness: &Harness) -> Result<Vec<Broken>> {
        let Self { agent, customers, .. } = self;
        if let Some(bug) = agent.bug() {
            bug.plant(harness).await.with_context(|| format!("{bug:?} cannot be planted"))?;
        }
        agent.calm(false);
        while let Some(turn) = self.turns.get(self.turn.load(Ordering::SeqCst)) {
            self.take(harness, turn).await;
            self.turn.fetch_add(1, Ordering::SeqCst);
        }
        agent.calm(true);
        self.end(harness, customers).await
    }

    /// Does what is done at once. A turn that was cut off by a death is taken again, with the same keys.
    async fn take(&self, harness: &Harness, turn: &Turn) {
        let acts = turn.acts.iter().map(|at| self.customers.act(harness, *at));
        join_all(acts).await;
        if turn.settles {
            harness.settle().await;
        }
        if turn.minutes > 0 {
            let minutes = Duration::from_secs(60 * turn.minutes);
            time::both(&self.clock, minutes, minutes.min(Duration::from_secs(5))).await;
        }
    }

    /// Lets everything come to rest, and looks.
    async fn end(&self, harness: &Harness, customers: &Customers) -> Result<Vec<Broken>> {
        let excused = || async { anyhow::Ok(check::excused(harness, &self.agent).await?.ids()) };
        customers.ask_again(harness).await;
        if let Err(stuck) = quiet::rest(harness, &excused().await?).await {
            return Ok(vec![Broken::new("nothing is stuck", "", stuck.to_string())]);
        }
        // What only came to its end meanwhile is heard now, and what follows from that too.
        customers.ask_again(harness).await;
        quiet::rest(harness, &excused().await?).await?;
        check::all(harness, &self.agent, customers).await
    }
}
