//! Processes over several services: a table of steps, each with its undo, driven from the first.
//!
//! A step is idempotent by what it works on, so a process that stopped anywhere is driven again from
//! its first step. A refusal undoes the steps before it, in reverse; any other failure leaves the
//! process to its task, which drives it again.
//!
//! Invariant: who has lost the lease of the process's task takes no further step.

use futures_util::future::BoxFuture;
use mesh::replay::is_refusal;
use mesh::{Context, Status};
use store::{Claim, Task};

use tradewind::orders::v1::saga_step::State;
use tradewind::orders::v1::{SagaKind, SagaKindStep};

use crate::error::Error;
use crate::orders::Orders;
use crate::progress::{self, Drive, Ended, Saga};

/// When what is not decided elsewhere is asked for again: after ten seconds, for whoever repeats a call waits for it.
const AGAIN: i64 = 10 * 1_000_000;

/// The work of a step, on the state of its process.
pub(crate) type Act<W> =
    for<'a> fn(&'a Orders, &'a Context, &'a mut W) -> BoxFuture<'a, Result<(), Status>>;

/// One step of a process.
pub(crate) struct Step<W> {
    /// Names the point before it, where a test can make the process stand still.
    pub(crate) name: &'static str,
    /// What it does, for people.
    pub(crate) does: &'static str,
    pub(crate) run: Act<W>,
    /// What takes it back; a step without one changes nothing that has to be.
    pub(crate) undo: Option<Undo<W>>,
}

/// What takes a step back.
pub(crate) struct Undo<W> {
    /// What it does, for people.
    pub(crate) does: &'static str,
    pub(crate) run: Undoing<W>,
}

/// The work of taking a step back, which is told why.
pub(crate) type Undoing<W> =
    for<'a> fn(&'a Orders, &'a Context, &'a mut W, &'a Status) -> BoxFuture<'a, Result<(), Status>>;

/// The state of a process on its way.
pub(crate) trait Work {
    /// The right to drive it.
    fn claim(&self) -> &Claim;

    /// What it is known by.
    fn saga(&self) -> Saga;
}

/// Drives a process to its end.
pub(crate) async fn drive<W: Work>(
    orders: &Orders,
    context: &Context,
    process: &str,
    steps: &[Step<W>],
    work: &mut W,
) -> Result<(), Status> {
    let saga = work.saga();
    let driven = Drive::begin(orders, context, &saga, steps.iter().map(|step| step.name));
    let ended = walk(orders, context, process, steps, work, &driven).await;
    let Err(status) = &ended else {
        orders.faults.pass(process, END).await;
        return Ok(());
    };
    let claim = work.claim().clone();
    // What was taken back whole is no process any more; what another has taken is the other's to tell of.
    if claim.check().is_ok() && !claim.has_ended() {
        let undecided = is_undecided(status);
        let kept = driven.keep(context, &saga, &claim, Ended { status, undecided }).await;
        if let Err(error) = kept {
            tracing::warn!(saga = saga.id, %error, "how far a process came could not be noted");
        }
    }
    ended
}

async fn walk<W: Work>(
    orders: &Orders,
    context: &Context,
    process: &str,
    steps: &[Step<W>],
    work: &mut W,
    driven: &Drive<'_>,
) -> Result<(), Status> {
    for (position, step) in steps.iter().enumerate() {
        driven.mark(position, State::Doing);
        orders.faults.pass(process, step.name).await;
        work.claim().check()?;
        if let Err(status) = (step.run)(orders, context, work).await {
            if is_refusal(status.code()) {
                driven.mark(position, State::Refused);
                let undone = Undone { process, steps: &steps[..position], refusal: &status };
                undo(orders, context, undone, work, driven).await?;
            }
            return Err(status);
        }
        driven.mark(position, State::Done);
    }
    Ok(())
}

/// What is taken back: steps of a process that were done before one was refused.
struct Undone<'a, W> {
    process: &'a str,
    steps: &'a [Step<W>],
    refusal: &'a Status,
}

async fn undo<W: Work>(
    orders: &Orders,
    context: &Context,
    Undone { process, steps, refusal }: Undone<'_, W>,
    work: &mut W,
    driven: &Drive<'_>,
) -> Result<(), Status> {
    // What is taken back must be nobody's: whoever was late may find that another has gone on with it.
    let mut tx = orders.store.begin_for(context).await?;
    tx.renew(work.claim()).await?;
    tx.commit().await?;
    for (position, step) in steps.iter().enumerate().rev() {
        if let Some(undo) = &step.undo {
            driven.mark(position, State::Undoing);
            orders.faults.pass(process, &undo_of(step.name)).await;
            work.claim().check()?;
            (undo.run)(orders, context, work, refusal).await?;
            driven.mark(position, State::Undone);
        }
    }
    Ok(())
}

/// A kind of process as operators read it.
pub(crate) fn kind<W>(name: &str, steps: &[Step<W>], limit_seconds: i64) -> SagaKind {
    let step = |step: &Step<W>| SagaKindStep {
        name: step.name.to_owned(),
        does: step.does.to_owned(),
        undo: step.undo.as_ref().map_or("", |undo| undo.does).to_owned(),
    };
    SagaKind { name: name.to_owned(), steps: steps.iter().map(step).collect(), limit_seconds }
}

const END: &str = "end";

fn undo_of(step: &str) -> String {
    format!("undo_{step}")
}

/// The points of a process: before each step, at its end, and before each undo.
pub(crate) fn points<W>(process: &str, steps: &[Step<W>]) -> Vec<String> {
    let names = steps.iter().map(|step| step.name.to_owned());
    let undone = steps.iter().rev().filter(|step| step.undo.is_some());
    let undos = undone.map(|step| undo_of(step.name));
    names.chain([END.to_owned()]).chain(undos).map(|name| format!("{process}/{name}")).collect()
}

/// Ends what a task did of a process: one that has ended leaves no trace of how far it had come.
pub(crate) async fn ended(
    orders: &Orders,
    context: &Context,
    saga: &Saga,
    driven: Result<(), Status>,
    claim: &Claim,
) -> Result<(), Status> {
    if driven.is_ok() || claim.has_ended() {
        progress::forget(orders, context, &saga.id).await?;
    }
    driven
}

/// Does a task once more in ten seconds, as often as it takes: what it waits for is decided elsewhere, maybe
/// by a person, and is not given up meanwhile.
pub(crate) async fn again<T: Task>(
    orders: &Orders,
    context: &Context,
    task: T,
    claim: &Claim,
) -> Result<(), Status> {
    let mut tx = orders.store.begin_for(context).await?;
    tx.start_at(task, orders.store.clock().now_micros() + AGAIN)?;
    tx.finish(claim).await?;
    Ok(tx.commit().await?)
}

/// An answer of payments, where it says that nobody knows yet whether money was taken: neither a refusal,
/// after which a process may be undone, nor a failure, of which there may be too many.
pub(crate) fn busy_if_undecided(status: Status, order_id: &str) -> Status {
    match mesh::failure::reason(&status).as_deref() {
        Some("PAYMENT_UNRESOLVED" | "PAYMENT_IN_REVIEW") => Error::Busy(order_id.to_owned()).into(),
        _ => status,
    }
}

/// Whether a process waits for what is decided elsewhere.
pub(crate) fn is_undecided(status: &Status) -> bool {
    mesh::failure::reason(status).as_deref() == Some(Error::BUSY)
}
