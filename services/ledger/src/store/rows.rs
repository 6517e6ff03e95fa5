//! How transfers, holds and accounts go in and out of rows.

use ::store::{Error, Row};
use mesh::clock::timestamp;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code;
use tradewind::ledger::v1::{Account, Transfer};

use crate::book::{Hold, State};

/// The columns of a transfer, of a table that is called `t`.
pub(crate) const TRANSFER: &str = "t.id, t.time, t.kind, t.debit_account_id, t.credit_account_id, \
    t.amount, t.currency_code, t.pending_id, t.timeout_seconds, t.code, t.reference, t.linked";

/// The columns of an account.
pub(crate) const ACCOUNT: &str = "id, currency_code, code, debits_must_not_exceed_credits, \
    credits_must_not_exceed_debits, debits_pending, debits_posted, credits_pending, credits_posted, \
    create_time";

const STATES: [(State, &str); 4] = [
    (State::Pending, "PENDING"),
    (State::Posted, "POSTED"),
    (State::Voided, "VOIDED"),
    (State::Expired, "EXPIRED"),
];

/// The transfer of a row with the columns of [`TRANSFER`].
pub(crate) fn transfer(row: &Row) -> Result<Transfer, Error> {
    let kind: String = row.get("kind")?;
    Ok(Transfer {
        id: row.get("id")?,
        kind: Kind::from_str_name(&format!("KIND_{kind}")).unwrap_or_default().into(),
        debit_account_id: row.get("debit_account_id")?,
        credit_account_id: row.get("credit_account_id")?,
        amount: row.get("amount")?,
        currency_code: row.get("currency_code")?,
        pending_id: row.get("pending_id")?,
        timeout_seconds: row.get("timeout_seconds")?,
        code: row.get("code")?,
        reference: row.get("reference")?,
        linked: row.get("linked")?,
        time: Some(timestamp(row.get("time")?)),
    })
}

/// The hold of a row.
pub(crate) fn hold(row: &Row) -> Result<Hold, Error> {
    let name: String = row.get("state")?;
    let state = STATES.iter().find(|(_, known)| *known == name).map(|(state, _)| *state);
    // A state that this version does not know must not be taken for one that still holds.
    let state = state.unwrap_or(State::Expired);
    Ok(Hold { state, expire_time: row.get("expire_time")? })
}

/// The account of a row with the columns of [`ACCOUNT`].
pub(crate) fn account(row: &Row) -> Result<Account, Error> {
    Ok(Account {
        id: row.get("id")?,
        currency_code: row.get("currency_code")?,
        code: row.get("code")?,
        debits_must_not_exceed_credits: row.get("debits_must_not_exceed_credits")?,
        credits_must_not_exceed_debits: row.get("credits_must_not_exceed_debits")?,
        debits_pending: row.get("debits_pending")?,
        debits_posted: row.get("debits_posted")?,
        credits_pending: row.get("credits_pending")?,
        credits_posted: row.get("credits_posted")?,
        create_time: Some(timestamp(row.get("create_time")?)),
    })
}

/// The name of a transfer's kind in its column.
pub(crate) fn kind_name(transfer: &Transfer) -> &'static str {
    let name = transfer.kind().as_str_name();
    name.strip_prefix("KIND_").unwrap_or(name)
}

/// The name of a hold's state in its column.
pub(crate) fn state_name(state: State) -> &'static str {
    STATES.iter().find(|(known, _)| *known == state).map_or("", |(_, name)| name)
}

/// The name of a result code in its column.
pub(crate) fn code_name(code: Code) -> &'static str {
    let name = code.as_str_name();
    name.strip_prefix("CODE_").unwrap_or(name)
}
