//! Processes over several services: a table of steps, each with its undo, driven from the first.
//!
//! A step is idempotent by what it works on, so a process that stopped anywhere is driven again from
//! its first step. A refusal undoes the steps before it, in reverse; any other failure leaves the
//! process to its task, which drives it again.
//!
//! Invariant: who has lost the lease of the process's task takes no further step.

use futures_util::future::BoxFuture;
use mesh::{Code, Context, Status};
use store::{Claim, Task};

use crate::error::Error;
use crate::orders::Orders;

/// When what is not decided elsewhere is asked for again: after a minute.
const AGAIN: i64 = 60 * 1_000_000;

/// The work of a step, on the state of its process.
pub(crate) type Act<W> =
    for<'a> fn(&'a Orders, &'a Context, &'a mut W) -> BoxFuture<'a, Result<(), Status>>;

/// One step of a process.
pub(crate) struct Step<W> {
    /// Names the point before it, where a test can make the process stand still.
    pub(crate) name: &'static str,
    pub(crate) run: Act<W>,
    /// What takes it back; a step without one changes nothing that has to be.
    pub(crate) undo: Option<Act<W>>,
}

/// The state of a process on its way.
pub(crate) trait Work {
    /// The right to drive it.
    fn claim(&self) -> &Claim;
}

/// Drives a process to its end.
pub(crate) async fn drive<W: Work>(
    orders: &Orders,
    context: &Context,
    process: &str,
    steps: &[Step<W>],
    work: &mut W,
) -> Result<(), Status> {
    for (position, step) in steps.iter().enumerate() {
        orders.faults.pass(process, step.name).await;
        work.claim().check()?;
        if let Err(status) = (step.run)(orders, context, work).await {
            if is_refusal(status.code()) {
                undo(orders, context, process, &steps[..position], work).await?;
            }
            return Err(status);
        }
    }
    orders.faults.pass(process, END).await;
    Ok(())
}

async fn undo<W: Work>(
    orders: &Orders,
    context: &Context,
    process: &str,
    done: &[Step<W>],
    work: &mut W,
) -> Result<(), Status> {
    // What is taken back must be nobody's: whoever was late may find that another has gone on with it.
    let mut tx = orders.store.begin_for(context).await?;
    tx.renew(work.claim()).await?;
    tx.commit().await?;
    for step in done.iter().rev() {
        if let Some(undo) = step.undo {
            orders.faults.pass(process, &undo_of(step.name)).await;
            work.claim().check()?;
            undo(orders, context, work).await?;
        }
    }
    Ok(())
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

/// Does a task once more in a minute, as often as it takes: what it waits for is decided elsewhere, maybe
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

/// Whether an answer says that nothing was done and nothing will be: no repeat can change it.
pub(crate) fn is_refusal(code: Code) -> bool {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}
