//! What must happen after a commit, until it has.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{Error as StoreError, Runner, Task, Tx};
use tradewind::payments::v1::PaymentAttempt;

use crate::rpc::Payments;

/// The longest pause between two questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Finds out what came of an attempt.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) intent_id: String,
    pub(crate) attempt_id: String,
}

/// Posts or voids what the ledger holds for an attempt.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settle {
    pub(crate) attempt_id: String,
    /// How often the ledger was not reached.
    pub(crate) tries: u32,
}

/// Gives a refund back, or finds out what came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Repay {
    pub(crate) refund_id: String,
    /// How often the provider did not say.
    pub(crate) tries: u32,
}

/// Posts or voids what the ledger holds for a refund.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SettleRefund {
    pub(crate) refund_id: String,
    /// How often the ledger was not reached.
    pub(crate) tries: u32,
}

impl Task for Resolve {
    const KIND: &'static str = "resolve_attempt";
}

impl Task for Settle {
    const KIND: &'static str = "settle_attempt";
}

impl Task for Repay {
    const KIND: &'static str = "repay";
}

impl Task for SettleRefund {
    const KIND: &'static str = "settle_refund";
}

impl Resolve {
    pub(crate) fn of(attempt: &PaymentAttempt) -> Self {
        Self { intent_id: attempt.intent_id.clone(), attempt_id: attempt.id.clone() }
    }
}

/// Does the tasks of payments.
pub(crate) fn runner(payments: &Payments) -> Runner {
    let [resolve, settle, repay, settle_refund] = std::array::from_fn(|_| payments.clone());
    payments
        .store
        .runner()
        .on(move |context, task: Resolve, claim| {
            let payments = resolve.clone();
            async move { Ok(payments.do_resolve(&context, &task, &claim).await?) }
        })
        .on(move |context, task: Settle, claim| {
            let payments = settle.clone();
            async move { Ok(payments.do_settle(&context, &task, &claim).await?) }
        })
        .on(move |context, task: Repay, claim| {
            let payments = repay.clone();
            async move { Ok(payments.do_repay(&context, &task, &claim).await?) }
        })
        .on(move |context, task: SettleRefund, claim| {
            let payments = settle_refund.clone();
            async move { Ok(payments.do_settle_refund(&context, &task, &claim).await?) }
        })
}

impl Payments {
    /// Does a task once more, later each time. Money is never given up, so such tasks do not go
    /// where those go that have failed too often.
    pub(crate) fn again<T: Task>(
        &self,
        tx: &mut Tx,
        task: T,
        tries: u32,
    ) -> Result<(), StoreError> {
        let now = self.store.clock().now_micros();
        let pause = i64::try_from(pause(tries).as_micros()).unwrap_or(i64::MAX);
        tx.start_at(task, now.saturating_add(pause))
    }
}

/// How long to wait after so many tries: a second, then twice as long each time.
fn pause(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.min(20)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        assert_eq!(pause(0), Duration::from_secs(1));
        assert_eq!(pause(3), Duration::from_secs(8));
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
