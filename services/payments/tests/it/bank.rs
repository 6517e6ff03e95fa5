//! A provider whose every fault a test can ask for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use mesh::{Context, async_trait};
use payments::provider::{Charge, Outcome, Provider, Repaid, Repayment};
use tokio::sync::{Notify, watch};
use tradewind::money::v1::Money;

/// Where a call to take an amount stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Nowhere,
    /// Before anything is taken.
    Before,
    /// When it is taken, before the answer.
    After,
}

/// A bank: what it did, and what it says instead of that.
pub(crate) struct Bank {
    charges: Mutex<HashMap<String, Outcome>>,
    refunds: Mutex<HashMap<String, Repaid>>,
    /// What it answers when it is asked to take an amount, in turn; then the truth.
    takes: Mutex<VecDeque<Outcome>>,
    looks: Mutex<VecDeque<Outcome>>,
    repays: Mutex<VecDeque<Repaid>>,
    stop: watch::Sender<Stop>,
    /// A call has stopped.
    pub(crate) stopped: Notify,
}

impl Bank {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            charges: Mutex::default(),
            refunds: Mutex::default(),
            takes: Mutex::default(),
            looks: Mutex::default(),
            repays: Mutex::default(),
            stop: watch::Sender::new(Stop::Nowhere),
            stopped: Notify::new(),
        })
    }

    pub(crate) fn stop_at(&self, stop: Stop) {
        self.stop.send_replace(stop);
    }

    pub(crate) fn say_when_taking(&self, answers: impl IntoIterator<Item = Outcome>) {
        self.takes.lock().unwrap().extend(answers);
    }

    pub(crate) fn say_when_asked(&self, answers: impl IntoIterator<Item = Outcome>) {
        self.looks.lock().unwrap().extend(answers);
    }

    pub(crate) fn say_when_repaying(&self, answers: impl IntoIterator<Item = Repaid>) {
        self.repays.lock().unwrap().extend(answers);
    }

    /// How often an amount was taken.
    pub(crate) fn taken(&self) -> usize {
        let charges = self.charges.lock().unwrap();
        charges.values().filter(|charge| matches!(charge, Outcome::Success { .. })).count()
    }

    /// What was given back, in minor units.
    pub(crate) fn given_back(&self) -> i64 {
        let refunds = self.refunds.lock().unwrap();
        refunds
            .values()
            .map(|refund| match refund {
                Repaid::Success { amount, .. } => amount.minor,
                Repaid::Declined { .. } | Repaid::NotAttempted | Repaid::Unknown => 0,
            })
            .sum()
    }

    async fn pass(&self, at: Stop) {
        let mut stop = self.stop.subscribe();
        if *stop.borrow() == at {
            self.stopped.notify_one();
            stop.wait_for(|now| *now != at).await.unwrap();
        }
    }
}

pub(crate) fn success(minor: i64, currency: &str) -> Outcome {
    Outcome::Success { reference: "bank_1".into(), amount: Money::new(minor, currency) }
}

#[async_trait]
impl Provider for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn accepts(&self, payment_method: &str) -> bool {
        payment_method.starts_with("bank_")
    }

    async fn take(&self, _: &Context, charge: &Charge) -> Outcome {
        self.pass(Stop::Before).await;
        let said = self.takes.lock().unwrap().pop_front();
        if said == Some(Outcome::NotAttempted) {
            return Outcome::NotAttempted;
        }
        let truth = {
            let mut charges = self.charges.lock().unwrap();
            let truth = charges
                .entry(charge.attempt_id.clone())
                .or_insert_with(|| success(charge.amount.minor, &charge.amount.currency_code));
            truth.clone()
        };
        self.pass(Stop::After).await;
        said.unwrap_or(truth)
    }

    async fn look_up(&self, _: &Context, attempt_id: &str) -> Outcome {
        let said = self.looks.lock().unwrap().pop_front();
        let truth = self.charges.lock().unwrap().get(attempt_id).cloned();
        said.or(truth).unwrap_or(Outcome::NotAttempted)
    }

    async fn void(&self, _: &Context, attempt_id: &str) -> Outcome {
        let mut charges = self.charges.lock().unwrap();
        charges.entry(attempt_id.to_owned()).or_insert(Outcome::Voided).clone()
    }

    async fn refund(&self, _: &Context, repayment: &Repayment) -> Repaid {
        let said = self.repays.lock().unwrap().pop_front();
        if let Some(refused @ Repaid::Declined { .. }) = said {
            return refused;
        }
        let truth =
            Repaid::Success { reference: "back_1".into(), amount: repayment.amount.clone() };
        let mut refunds = self.refunds.lock().unwrap();
        let truth = refunds.entry(repayment.refund_id.clone()).or_insert(truth).clone();
        said.unwrap_or(truth)
    }

    async fn look_up_refund(&self, _: &Context, refund_id: &str) -> Repaid {
        self.refunds.lock().unwrap().get(refund_id).cloned().unwrap_or(Repaid::NotAttempted)
    }
}
