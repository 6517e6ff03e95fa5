//! What the services know of one order.

use tradewind::catalog::v1::AuditedReservation;
use tradewind::ledger::v1::ReferenceSum;
use tradewind::money::v1::Money;
use tradewind::notifications::v1::MailCount;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{AuditedOrder, payment};
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::{AuditedPayment, PaymentAttempt, PaymentIntent, Refund, refund};

/// How the ledger calls a payment, and a refund.
pub(crate) const PAYMENT: i32 = 1;
pub(crate) const REFUND: i32 = 2;

/// What the services know of one order; what they do not know is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) id: String,
    pub(crate) order: Option<AuditedOrder>,
    pub(crate) payment: Option<AuditedPayment>,
    pub(crate) sums: Vec<ReferenceSum>,
    pub(crate) reservation: Option<AuditedReservation>,
    pub(crate) mails: Vec<MailCount>,
}

impl Facts {
    pub(crate) fn intent(&self) -> Option<&PaymentIntent> {
        self.payment.as_ref().and_then(|payment| payment.intent.as_ref())
    }

    pub(crate) fn attempts(&self) -> &[PaymentAttempt] {
        self.payment.as_ref().map_or(&[], |payment| &payment.attempts)
    }

    pub(crate) fn refunds(&self) -> &[Refund] {
        self.payment.as_ref().map_or(&[], |payment| &payment.refunds)
    }

    pub(crate) fn state(&self) -> Option<State> {
        self.order.as_ref().map(AuditedOrder::state)
    }

    /// What of an order's money the project has, as each service says: by the currency that is known.
    pub(crate) fn currency(&self) -> &str {
        let total = self.order.as_ref().and_then(|order| order.total.as_ref());
        let amount = self.intent().and_then(|intent| intent.amount.as_ref());
        let known = total.or(amount).map(|money| money.currency_code.as_str());
        known.or_else(|| self.sums.first().map(|sum| sum.currency_code.as_str())).unwrap_or("")
    }

    /// What the order says that it brought: what was paid less what was given back.
    pub(crate) fn order_net(&self) -> i64 {
        let Some(order) = &self.order else { return 0 };
        let minor = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.minor);
        match order.payment_state() {
            payment::State::Paid => minor(&order.total) - minor(&order.refunded),
            payment::State::Unspecified
            | payment::State::None
            | payment::State::Declined
            | payment::State::RequiresAction
            | payment::State::Unknown
            | payment::State::Refunded
            | payment::State::Cancelled
            | payment::State::Processing => 0,
        }
    }

    /// What its intent says that was taken, less what was given back or is about to be.
    pub(crate) fn payment_net(&self) -> i64 {
        self.intent().map_or(0, |intent| intent.captured_minor - intent.refunded_minor)
    }

    /// What its attempts and refunds that have ended say.
    pub(crate) fn settled_net(&self) -> i64 {
        let took = |attempt: &&PaymentAttempt| attempt.outcome() == Outcome::Success;
        let minor = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.minor);
        let taken: i64 =
            self.attempts().iter().filter(took).map(|attempt| minor(&attempt.amount)).sum();
        let gave = |refund: &&Refund| refund.state() == refund::State::Succeeded;
        let given: i64 =
            self.refunds().iter().filter(gave).map(|refund| minor(&refund.amount)).sum();
        taken - given
    }

    /// What the ledger moved for it, in its currency.
    pub(crate) fn ledger_net(&self) -> i64 {
        let currency = self.currency();
        let sums = self.sums.iter().filter(|sum| sum.currency_code == currency);
        sums.map(|sum| match sum.code {
            PAYMENT => sum.posted,
            REFUND => -sum.posted,
            _ => 0,
        })
        .sum()
    }

    /// What the ledger still holds for it.
    pub(crate) fn ledger_pending(&self) -> i64 {
        self.sums.iter().map(|sum| sum.pending).sum()
    }

    /// How many mails of a kind it was told by.
    pub(crate) fn mails_of(&self, template: &str) -> i32 {
        let of = self.mails.iter().filter(|mail| mail.template == template);
        of.map(|mail| mail.count).sum()
    }

    /// Everything of it that a task can name.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        let intent = self.intent().map(|intent| intent.id.as_str());
        let attempts = self.attempts().iter().map(|attempt| attempt.id.as_str());
        let refunds = self.refunds().iter().map(|refund| refund.id.as_str());
        std::iter::once(self.id.as_str()).chain(intent).chain(attempts).chain(refunds)
    }

    /// When anything of it changed last, in microseconds since 1970.
    pub(crate) fn changed(&self) -> i64 {
        let order = self.order.as_ref().and_then(|order| order.update_time);
        let intent = self.intent().and_then(|intent| intent.update_time);
        let attempts = self.attempts().iter().filter_map(|attempt| attempt.update_time);
        let refunds = self.refunds().iter().filter_map(|refund| refund.update_time);
        let sums = self.sums.iter().filter_map(|sum| sum.time);
        let reservation = self.reservation.as_ref().and_then(|it| it.update_time);
        let mails = self.mails.iter().filter_map(|mail| mail.create_time);
        let once = [order, intent, reservation].into_iter().flatten();
        let all = once.chain(attempts).chain(refunds).chain(sums).chain(mails);
        all.map(|time| mesh::clock::micros(&time)).max().unwrap_or(0)
    }
}
