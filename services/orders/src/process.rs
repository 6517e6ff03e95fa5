//! Processes over several services: a table of steps, each with its undo, driven from the first.
//!
//! A step is idempotent by what it works on, so a process that stopped anywhere is driven again from
//! its first step. A refusal undoes the steps before it, in reverse; any other failure leaves the
//! process to its task, which drives it again.

use futures_util::future::BoxFuture;
use mesh::{Code, Context, Status};

use crate::orders::Orders;

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

/// Drives a process to its end.
pub(crate) async fn drive<W>(
    orders: &Orders,
    context: &Context,
    process: &str,
    steps: &[Step<W>],
    work: &mut W,
) -> Result<(), Status> {
    for (position, step) in steps.iter().enumerate() {
        orders.faults.pass(process, step.name).await;
        if let Err(status) = (step.run)(orders, context, work).await {
            if is_refusal(status.code()) {
                undo(orders, context, &steps[..position], work).await?;
            }
            return Err(status);
        }
    }
    orders.faults.pass(process, "end").await;
    Ok(())
}

async fn undo<W>(
    orders: &Orders,
    context: &Context,
    done: &[Step<W>],
    work: &mut W,
) -> Result<(), Status> {
    for step in done.iter().rev() {
        if let Some(undo) = step.undo {
            undo(orders, context, work).await?;
        }
    }
    Ok(())
}

/// The points of a process: before each step, and at its end.
pub(crate) fn points<W>(process: &str, steps: &[Step<W>]) -> Vec<String> {
    let names = steps.iter().map(|step| step.name).chain(["end"]);
    names.map(|name| format!("{process}/{name}")).collect()
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
