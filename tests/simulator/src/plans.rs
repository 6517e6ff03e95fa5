//! `simulator plans`: how SQLite finds the rows of each statement that histories run, and which it would read a whole
//! table for.
//!
//! A test's tables are small, so that a missing index is not felt; how a statement is planned does not depend on that,
//! since there are no statistics.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use harness::Harness;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{self, Layer, SubscriberExt};

use crate::agent::Agent;
use crate::quiet::anybody;
use crate::world::{SERVICES, Template, beginning, start};
use crate::{history, say};

/// Where a store says what it runs.
const TARGET: &str = "store::statement";
/// Statements that read all of a table, and why they may.
const MAY: [(&str, &str); 3] = [
    ("FROM sagas WHERE update_time", "it has only what has not come to its end"),
    ("product_revision", "it has one row"),
    ("SELECT DISTINCT project FROM holds", "it goes over an index of what is held now"),
];

/// What is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many histories give their statements.
    #[arg(long, short = 'n', default_value_t = 8)]
    histories: u64,
    /// The seed of the first; each has the next one.
    #[arg(long, short, default_value_t = 1)]
    seed: u64,
    /// Prints the plan of every statement.
    #[arg(long)]
    all: bool,
}

/// A service and the text of a statement.
type Told = BTreeSet<(String, String)>;

/// Explains the statements of some histories; whether none reads more than it should.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let template = Template::make()?;
    // What opens databases, looks for work and checks a history goes over everything, and may.
    let besides = heard(|| history::empty(&template))?;
    let seeds = arguments.seed..arguments.seed + arguments.histories;
    let told =
        heard(|| seeds.clone().try_for_each(|seed| history::run(&template, seed, None).map(drop)))?;
    let told: Told = told.difference(&besides).cloned().collect();
    let services: BTreeSet<_> = told.iter().map(|(service, _)| service.as_str()).collect();
    // Of users, a checkout asks nothing but what whoever checks a history asks too.
    ensure!(
        services.len() + 1 >= SERVICES.len(),
        "only these services said anything: {services:?}"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bad = runtime.block_on(explain(&template, &told, arguments.all))?;
    say(&format!("{} statements, {bad} of them read a whole table", told.len()));
    Ok(bad == 0)
}

/// What stores say they run meanwhile.
fn heard(run: impl FnOnce() -> Result<()>) -> Result<Told> {
    let listener = Listener::default();
    let statements = Targets::new().with_target(TARGET, LevelFilter::TRACE);
    let subscriber = tracing_subscriber::registry().with(listener.clone().with_filter(statements));
    tracing::subscriber::with_default(subscriber, run)?;
    Ok(std::mem::take(&mut *listener.lock()))
}

async fn explain(template: &Template, told: &Told, all: bool) -> Result<usize> {
    let copy = template.copy()?;
    let harness = start(copy.path(), &beginning(), 0, &Agent::new(0, None)).await?;
    let mut bad = 0;
    for (service, sql) in told {
        let plan = plan(&harness, service, sql).await?;
        let reads_all = reads_all(&plan) && !may(sql);
        bad += usize::from(reads_all);
        if all || reads_all {
            say(&format!("{service}: {sql}\n    {}", plan.join("\n    ")));
        }
    }
    harness.end().await;
    harness.close();
    Ok(bad)
}

async fn plan(harness: &Harness, service: &str, sql: &str) -> Result<Vec<String>> {
    let Some(service) = SERVICES.into_iter().find(|it| *it == service) else {
        return Ok(Vec::new());
    };
    let reader = harness.store(service).read(&anybody(harness));
    let rows = reader.unscoped(format!("EXPLAIN QUERY PLAN {sql}")).fetch_all().await?;
    Ok(rows.iter().map(|row| row.get("detail")).collect::<Result<_, _>>()?)
}

fn may(sql: &str) -> bool {
    MAY.iter().any(|(part, _)| sql.contains(part))
}

/// Whether a plan goes over all rows of a table, or over all of a project; what it has made itself it may go over.
fn reads_all(plan: &[String]) -> bool {
    let own: Vec<_> = ["CO-ROUTINE ", "MATERIALIZE "]
        .into_iter()
        .flat_map(|made| plan.iter().filter_map(move |step| step.strip_prefix(made)))
        .collect();
    let is_given = |what: &str| what.contains("CONSTANT ROW") || what.ends_with("VALUES CLAUSE");
    plan.iter().any(|step| match step.strip_prefix("SCAN ") {
        Some(what) => !is_given(what) && !own.contains(&what),
        None => step.ends_with("(project=?)"),
    })
}

/// Hears what stores run.
#[derive(Debug, Clone, Default)]
struct Listener {
    told: Arc<Mutex<Told>>,
}

impl Listener {
    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        let mut heard = Heard::default();
        event.record(&mut heard);
        self.lock().insert((heard.service, heard.sql));
    }
}

#[derive(Default)]
struct Heard {
    service: String,
    sql: String,
}

impl Visit for Heard {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "service" => value.clone_into(&mut self.service),
            "sql" => value.clone_into(&mut self.sql),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
