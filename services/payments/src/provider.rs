//! Providers: who takes the money, behind one trait.
//!
//! Invariant: every question carries a key made and kept before it is first asked, and a provider
//! answers a repeated key with what came of the first.

use std::sync::Arc;

use mesh::{Context, async_trait};
use tradewind::money::v1::Money;
use tradewind::payments::v1::provider_entry::Theirs;

use crate::error::Error;

/// What a provider is asked to take.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// The key: the attempt's id.
    pub attempt_id: String,
    /// The intent that is paid, for the addresses that the customer is sent to.
    pub intent_id: String,
    /// The provider's token for what it is paid with.
    pub payment_method: String,
    /// How much.
    pub amount: Money,
}

/// What a provider is asked to give back.
#[derive(Debug, Clone, PartialEq)]
pub struct Repayment {
    /// The key: the refund's id.
    pub refund_id: String,
    /// The attempt that took it.
    pub attempt_id: String,
    /// How much.
    pub amount: Money,
}

/// What came of a charge.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The amount was taken.
    Success {
        /// The provider's own number for it.
        reference: String,
        /// What was taken.
        amount: Money,
    },
    /// The customer has a step to take.
    Pending {
        /// The provider's own number for it.
        reference: String,
        /// What will be taken.
        amount: Money,
        /// Where the customer takes the step.
        action_url: String,
    },
    /// It was refused; nothing was taken.
    Declined {
        /// Why, such as `insufficient_funds`.
        code: String,
    },
    /// It was given up, and its key takes nothing any more.
    Voided,
    /// The provider surely knows nothing of it.
    NotAttempted,
    /// It may have happened.
    Unknown,
}

/// What came of a repayment.
#[derive(Debug, Clone, PartialEq)]
pub enum Repaid {
    /// It was given back.
    Success {
        /// The provider's own number for it.
        reference: String,
        /// What was given back.
        amount: Money,
    },
    /// The provider refused.
    Declined {
        /// Why.
        code: String,
    },
    /// The provider surely knows nothing of it.
    NotAttempted,
    /// It may have happened.
    Unknown,
}

/// What a provider has on record under a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The key: an attempt's id, or a refund's.
    pub key: String,
    /// Whether something was given back, rather than taken.
    pub is_refund: bool,
    /// What came of it.
    pub theirs: Theirs,
    /// How much.
    pub amount: Money,
}

/// A provider's records, or that there are none to be had.
#[derive(Debug, Clone, PartialEq)]
pub enum Records {
    /// Those that were asked for, in the order of their keys.
    Are(Vec<Record>),
    /// It tells nobody.
    Untold,
    /// It did not answer.
    Lost,
}

/// A company that takes money and gives it back. What it was asked, and answered, it never forgets.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What it is called in attempts, in the ledger's accounts and in reports.
    fn name(&self) -> &'static str;

    /// Whether a token for what is paid with is one of its own.
    fn accepts(&self, payment_method: &str) -> bool;

    /// Takes an amount.
    async fn take(&self, context: &Context, charge: &Charge) -> Outcome;

    /// Says what became of a charge.
    async fn look_up(&self, context: &Context, attempt_id: &str) -> Outcome;

    /// Gives up a charge of which nothing was taken; what was taken, stays taken. A charge that it
    /// does not know can never be taken afterwards.
    async fn void(&self, context: &Context, attempt_id: &str) -> Outcome;

    /// Gives back some of what a charge took.
    async fn refund(&self, context: &Context, repayment: &Repayment) -> Repaid;

    /// Says what became of a repayment.
    async fn look_up_refund(&self, context: &Context, refund_id: &str) -> Repaid;

    /// What it has on record for the caller's project after a key, at most so many: for audits.
    async fn records(&self, _context: &Context, _after: &str, _most: u32) -> Records {
        Records::Untold
    }

    /// Takes the customer's step in their place; `None` where customers take it themselves.
    async fn complete_action(
        &self,
        _context: &Context,
        _attempt_id: &str,
        _approve: bool,
    ) -> Option<Outcome> {
        None
    }
}

/// The providers of this service, in the order in which they are asked.
#[derive(Clone)]
pub(crate) struct Providers {
    all: Arc<[Arc<dyn Provider>]>,
}

impl Providers {
    pub(crate) fn new(all: Vec<Arc<dyn Provider>>) -> Self {
        Self { all: all.into() }
    }

    /// The first that accepts a token.
    pub(crate) fn that_accepts(&self, payment_method: &str) -> Result<&dyn Provider, Error> {
        let mut all = self.all.iter();
        let found = all.find(|provider| provider.accepts(payment_method));
        found.map(AsRef::as_ref).ok_or(Error::NoProvider)
    }

    /// The one at a place, from 0.
    pub(crate) fn at(&self, position: usize) -> Option<&dyn Provider> {
        self.all.get(position).map(AsRef::as_ref)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &dyn Provider> {
        self.all.iter().map(AsRef::as_ref)
    }

    /// The one with a name.
    pub(crate) fn called(&self, name: &str) -> Result<&dyn Provider, Error> {
        let found = self.all.iter().find(|provider| provider.name() == name);
        found.map(AsRef::as_ref).ok_or_else(|| Error::ProviderGone(name.to_owned()))
    }
}
