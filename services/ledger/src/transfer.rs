//! What a transfer is: when two are the same, and what a posting or voiding takes from its pending one.

use mesh::clock::timestamp;
use tradewind::ledger::v1::Transfer;
use tradewind::ledger::v1::transfer::Kind;

const MICROS: i64 = 1_000_000;

/// What a transfer does; one that does not say moves at once.
fn kind(transfer: &Transfer) -> Kind {
    match transfer.kind() {
        Kind::Unspecified => Kind::Posted,
        kind @ (Kind::Posted | Kind::Pending | Kind::PostPending | Kind::VoidPending) => kind,
    }
}

/// Whether a transfer asks for what happened: every field is the same, or is empty where a posting or
/// voiding takes it from its pending transfer.
pub(crate) fn repeats(known: &Transfer, asked: &Transfer, pending: Option<&Transfer>) -> bool {
    let amount = match (asked.amount, pending) {
        (0, Some(pending)) => pending.amount,
        (amount, _) => amount,
    };
    kind(known) == kind(asked)
        && known.pending_id == asked.pending_id
        && known.timeout_seconds == asked.timeout_seconds
        && known.code == asked.code
        && known.reference == asked.reference
        && known.linked == asked.linked
        && known.amount == amount
        && match kind(asked) {
            Kind::PostPending | Kind::VoidPending => !differs(asked, known),
            Kind::Unspecified | Kind::Posted | Kind::Pending => {
                known.debit_account_id == asked.debit_account_id
                    && known.credit_account_id == asked.credit_account_id
                    && known.currency_code == asked.currency_code
            }
        }
}

/// Whether a posting or voiding names accounts or a currency other than those of its pending transfer.
pub(crate) fn differs(asked: &Transfer, pending: &Transfer) -> bool {
    [
        (&asked.debit_account_id, &pending.debit_account_id),
        (&asked.credit_account_id, &pending.credit_account_id),
        (&asked.currency_code, &pending.currency_code),
    ]
    .iter()
    .any(|(asked, pending)| !asked.is_empty() && asked != pending)
}

/// A posting or voiding with what it takes from its pending transfer written out.
pub(crate) fn resolved(asked: &Transfer, pending: &Transfer, amount: i64) -> Transfer {
    Transfer {
        debit_account_id: pending.debit_account_id.clone(),
        credit_account_id: pending.credit_account_id.clone(),
        currency_code: pending.currency_code.clone(),
        amount,
        ..asked.clone()
    }
}

/// A transfer as it is kept: with its kind said, and its time, in microseconds since 1970.
pub(crate) fn happened(asked: Transfer, time: i64) -> Transfer {
    Transfer { kind: kind(&asked).into(), time: Some(timestamp(time)), ..asked }
}

/// When a pending transfer that is made now is void by itself, in microseconds since 1970.
pub(crate) fn expire_time(pending: &Transfer, now: i64) -> Option<i64> {
    let timeout = pending.timeout_seconds;
    (timeout != 0).then(|| now.saturating_add(timeout.saturating_mul(MICROS)))
}
