//! Bugs that are planted, each to be found: what shows that the simulator can fail.
//!
//! Most are a trigger in one service's database, which undoes or repeats behind the service's back what the
//! service does; the others lie on a channel, at a commit or at the provider. None is in the code of a service.

use anyhow::Result;
use harness::Harness;

use crate::quiet::anybody;

/// A bug to be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Bug {
    /// A commit forgets the event that an order is confirmed.
    ForgetsEvents,
    /// A consumer does not note which events it had.
    SkipsInbox,
    /// Every mail is written twice.
    MailsTwice,
    /// The task is forgotten that takes the stock of a paid order.
    ForgetsStock,
    /// The task is forgotten that goes on with a checkout whose process died.
    ForgetsCheckout,
    /// The task is forgotten that asks what came of a payment.
    ForgetsAttempt,
    /// The task is forgotten that posts or voids what the ledger holds for a refund.
    ForgetsSettling,
    /// Stock is held twice, and noted once.
    ReservesTwice,
    /// Stock that is given back is not.
    ReleasesNothing,
    /// A unit more leaves the shelf than was sold, and is noted as counted.
    LosesUnit,
    /// A transfer is posted twice.
    PostsTwice,
    /// A transfer is credited with a cent more than it is debited with.
    CreditsMore,
    /// An idempotency key is forgotten at once.
    IgnoresKeys,
    /// The answer that is kept under a key is not the one that was given.
    KeepsOtherAnswer,
    /// A refusal is not kept under its key.
    ForgetsRefusals,
    /// A commit fails, and its service is told that it was made.
    PretendsCommits,
    /// The provider takes the amount twice, under another key.
    TakesTwice,
    /// The provider gives back twice, under another key.
    RefundsTwice,
    /// The provider's records say what it said, and not what it did.
    HidesLies,
    /// An order counts less as given back than was.
    ForgetsRefund,
    /// A refund is on record twice.
    CountsRefundTwice,
    /// An order is confirmed twice in its history.
    ConfirmsTwice,
    /// A second attempt is on record as paid.
    PaysTwice,
    /// An order that was cancelled comes back.
    Resurrects,
}

impl Bug {
    /// What is put into which service's database.
    fn triggers(self) -> Option<(&'static str, &'static [&'static str])> {
        Some(match self {
            Self::ForgetsEvents => ("orders", &[FORGETS_EVENTS]),
            Self::SkipsInbox => ("notifications", &[SKIPS_INBOX]),
            Self::MailsTwice => ("notifications", &[MAILS_TWICE]),
            Self::ForgetsStock => ("orders", &[FORGETS_STOCK]),
            Self::ForgetsCheckout => ("orders", &[FORGETS_CHECKOUT]),
            Self::ForgetsAttempt => ("payments", &[FORGETS_ATTEMPT]),
            Self::ForgetsSettling => ("payments", &[FORGETS_SETTLING]),
            Self::ReservesTwice => ("catalog", &[RESERVES_TWICE]),
            Self::LosesUnit => ("catalog", &[LOSES_UNIT]),
            Self::PostsTwice => ("ledger", &[POSTS_TWICE]),
            Self::CreditsMore => ("ledger", &[CREDITS_MORE]),
            Self::IgnoresKeys => ("orders", &[IGNORES_KEYS]),
            Self::KeepsOtherAnswer => ("orders", &[KEEPS_OTHER_ANSWER]),
            Self::ForgetsRefusals => ("orders", &[FORGETS_REFUSALS, FORGETS_REFUSALS_OF_CALLS]),
            Self::ForgetsRefund => ("orders", &[FORGETS_REFUND]),
            Self::CountsRefundTwice => ("orders", &[COUNTS_REFUND_TWICE]),
            Self::ConfirmsTwice => ("orders", &[CONFIRMS_TWICE]),
            Self::PaysTwice => ("payments", &[PAYS_TWICE]),
            Self::Resurrects => ("orders", &[RESURRECTS]),
            Self::ReleasesNothing
            | Self::PretendsCommits
            | Self::TakesTwice
            | Self::RefundsTwice
            | Self::HidesLies => return None,
        })
    }

    /// Puts it where it belongs; one that is there already stays.
    pub(crate) async fn plant(self, harness: &Harness) -> Result<()> {
        let Some((service, triggers)) = self.triggers() else { return Ok(()) };
        let mut tx = harness.store(service).begin_for(&anybody(harness)).await?;
        for (at, does) in triggers.iter().enumerate() {
            let sql = format!("CREATE TRIGGER IF NOT EXISTS planted_{at} {does}");
            tx.unscoped(sql).execute().await?;
        }
        Ok(tx.commit().await?)
    }
}

const FORGETS_EVENTS: &str = "BEFORE INSERT ON store_outbox \
    WHEN NEW.type = 'tradewind.orders.v1.OrderConfirmed' BEGIN SELECT RAISE(IGNORE); END";
const SKIPS_INBOX: &str = "AFTER INSERT ON store_inbox \
    BEGIN DELETE FROM store_inbox WHERE event = NEW.event; END";
const MAILS_TWICE: &str = "AFTER INSERT ON mails WHEN NEW.template = 'order_cancelled' \
    BEGIN INSERT INTO mails SELECT project, id || 'x', customer_id, recipient, template, reference, subject, \
    body, state, error, create_time, update_time, etag FROM mails WHERE id = NEW.id; END";
const FORGETS_STOCK: &str = "BEFORE INSERT ON store_tasks WHEN NEW.kind = 'commit_stock' \
    BEGIN SELECT RAISE(IGNORE); END";
const FORGETS_CHECKOUT: &str = "AFTER UPDATE ON store_tasks WHEN NEW.kind = 'checkout' AND NEW.token > 1 \
    BEGIN DELETE FROM store_tasks WHERE id = NEW.id; END";
const FORGETS_ATTEMPT: &str = "AFTER UPDATE ON store_tasks WHEN NEW.kind = 'resolve_attempt' AND NEW.token > 1 \
    BEGIN DELETE FROM store_tasks WHERE id = NEW.id; END";
const FORGETS_SETTLING: &str = "BEFORE INSERT ON store_tasks WHEN NEW.kind = 'settle_refund' \
    BEGIN SELECT RAISE(IGNORE); END";
const RESERVES_TWICE: &str = "AFTER INSERT ON stock_movements WHEN NEW.kind = 'RESERVED' \
    BEGIN UPDATE stock_levels SET reserved = reserved + NEW.reserved_delta \
    WHERE project = NEW.project AND id = NEW.variant_id AND on_hand - reserved >= NEW.reserved_delta; END";
const LOSES_UNIT: &str = "AFTER INSERT ON stock_movements WHEN NEW.kind = 'COMMITTED' \
    BEGIN UPDATE stock_levels SET on_hand = on_hand - 1 \
    WHERE project = NEW.project AND id = NEW.variant_id AND on_hand > reserved; \
    INSERT INTO stock_movements (project, id, variant_id, kind, on_hand_delta, reserved_delta, order_id, time) \
    SELECT NEW.project, NEW.id || 'x', NEW.variant_id, 'SET', -1, 0, '', NEW.time WHERE changes() = 1; END";
const POSTS_TWICE: &str = "AFTER UPDATE OF debits_posted, credits_posted ON accounts \
    BEGIN UPDATE accounts SET debits_posted = debits_posted + NEW.debits_posted - OLD.debits_posted, \
    credits_posted = credits_posted + NEW.credits_posted - OLD.credits_posted \
    WHERE project = NEW.project AND id = NEW.id; END";
const CREDITS_MORE: &str = "AFTER UPDATE OF credits_posted ON accounts \
    WHEN NEW.credits_posted > OLD.credits_posted BEGIN UPDATE accounts \
    SET credits_posted = credits_posted + 1 WHERE project = NEW.project AND id = NEW.id; END";
const IGNORES_KEYS: &str = "AFTER INSERT ON store_keys \
    BEGIN DELETE FROM store_keys WHERE project = NEW.project AND method = NEW.method \
    AND actor = NEW.actor AND key = NEW.key; END";
const KEEPS_OTHER_ANSWER: &str = "AFTER UPDATE OF answer ON store_keys WHEN NEW.answer IS NOT NULL \
    BEGIN UPDATE store_keys SET answer = x'' WHERE project = NEW.project AND method = NEW.method \
    AND actor = NEW.actor AND key = NEW.key; END";
const FORGETS_REFUSALS: &str = "AFTER UPDATE OF refusal ON store_keys WHEN NEW.refusal IS NOT NULL \
    BEGIN DELETE FROM store_keys WHERE project = NEW.project AND method = NEW.method \
    AND actor = NEW.actor AND key = NEW.key; END";
const FORGETS_REFUSALS_OF_CALLS: &str = "AFTER INSERT ON store_keys WHEN NEW.refusal IS NOT NULL \
    BEGIN DELETE FROM store_keys WHERE project = NEW.project AND method = NEW.method \
    AND actor = NEW.actor AND key = NEW.key; END";
const FORGETS_REFUND: &str = "AFTER UPDATE OF state ON order_refunds WHEN NEW.state = 'SUCCEEDED' \
    BEGIN UPDATE orders SET refunded_minor = refunded_minor - 1 \
    WHERE project = NEW.project AND id = NEW.order_id; END";
const COUNTS_REFUND_TWICE: &str = "AFTER UPDATE OF state ON order_refunds WHEN NEW.state = 'SUCCEEDED' \
    BEGIN INSERT INTO order_refunds (project, id, order_id, amount_minor, reason, state) \
    VALUES (NEW.project, NEW.id || 'x', NEW.order_id, NEW.amount_minor, NEW.reason, 'SUCCEEDED'); END";
const CONFIRMS_TWICE: &str = "AFTER INSERT ON order_events WHEN NEW.note = 'paid' \
    BEGIN INSERT INTO order_events (project, order_id, position, at, state, actor, note) \
    VALUES (NEW.project, NEW.order_id, NEW.position + 1000, NEW.at, NEW.state, NEW.actor, 'paid'); END";
const PAYS_TWICE: &str = "AFTER UPDATE OF outcome ON payment_attempts WHEN NEW.outcome = 'SUCCESS' \
    BEGIN INSERT INTO payment_attempts (project, id, intent_id, number, provider, payment_method, amount_minor, \
    amount_currency, outcome, provider_reference, decline_code, action_url, resolutions, create_time, update_time, \
    etag, settled) VALUES (NEW.project, NEW.id || 'x', NEW.intent_id, NEW.number + 50, NEW.provider, \
    NEW.payment_method, NEW.amount_minor, NEW.amount_currency, 'SUCCESS', NEW.provider_reference, '', '', 0, \
    NEW.create_time, NEW.update_time, NEW.etag, 1); END";
const RESURRECTS: &str = "AFTER UPDATE OF state ON orders WHEN NEW.state = 'CANCELLED' \
    BEGIN UPDATE orders SET state = 'CONFIRMED' WHERE project = NEW.project AND id = NEW.id; END";
