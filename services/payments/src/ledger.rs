//! The ledger, as payments use it: an amount is held, then posted or voided.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use mesh::{Context, Peer};
use tradewind::ledger::v1::ledger_service_client::LedgerServiceClient;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code;
use tradewind::ledger::v1::{
    Account, CreateAccountsRequest, CreateTransfersRequest, Transfer, TransferResult,
    account_result,
};
use tradewind::money::v1::Money;
use tradewind::payments::v1::{PaymentAttempt, Refund};

use crate::error::{Error, Refused};

/// What providers owe the project, for reports.
const RECEIVABLE: i32 = 1;
/// What the project has sold, for reports.
const SALES: i32 = 2;
/// A payment, for reports.
const PAYMENT: i32 = 1;
/// A refund, for reports.
const REFUND: i32 = 2;

/// An amount on its way between a provider and the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Movement {
    /// The attempt's or the refund's id, made and kept before the ledger first hears of it.
    id: String,
    debit: String,
    credit: String,
    amount: Money,
    code: i32,
    order_id: String,
}

/// How a movement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It happened.
    Post,
    /// It did not.
    Void,
}

impl Movement {
    /// What an attempt takes.
    pub(crate) fn payment(order_id: &str, attempt: &PaymentAttempt) -> Self {
        let amount = attempt.amount.clone().unwrap_or_default();
        Self {
            id: attempt.id.clone(),
            debit: receivable(&attempt.provider, &amount.currency_code),
            credit: sales(&amount.currency_code),
            amount,
            code: PAYMENT,
            order_id: order_id.to_owned(),
        }
    }

    /// What a refund gives back.
    pub(crate) fn refund(order_id: &str, provider: &str, refund: &Refund) -> Self {
        let amount = refund.amount.clone().unwrap_or_default();
        Self {
            id: refund.id.clone(),
            debit: sales(&amount.currency_code),
            credit: receivable(provider, &amount.currency_code),
            amount,
            code: REFUND,
            order_id: order_id.to_owned(),
        }
    }

    fn held(&self) -> Transfer {
        Transfer {
            id: self.id.clone(),
            kind: Kind::Pending.into(),
            debit_account_id: self.debit.clone(),
            credit_account_id: self.credit.clone(),
            amount: self.amount.minor,
            currency_code: self.amount.currency_code.clone(),
            code: self.code,
            reference: self.order_id.clone(),
            ..Transfer::default()
        }
    }

    fn ended(&self, ending: Ending) -> Transfer {
        let (kind, word) = match ending {
            Ending::Post => (Kind::PostPending, "post"),
            Ending::Void => (Kind::VoidPending, "void"),
        };
        Transfer {
            id: format!("{}:{word}", self.id),
            kind: kind.into(),
            pending_id: self.id.clone(),
            code: self.code,
            reference: self.order_id.clone(),
            ..Transfer::default()
        }
    }

    fn accounts(&self) -> Vec<Account> {
        let account = |id: &str| Account {
            id: id.to_owned(),
            currency_code: self.amount.currency_code.clone(),
            code: if id == sales(&self.amount.currency_code) { SALES } else { RECEIVABLE },
            ..Account::default()
        };
        vec![account(&self.debit), account(&self.credit)]
    }
}

/// What a provider owes, such as `simulator:receivable:EUR`.
fn receivable(provider: &str, currency: &str) -> String {
    format!("{provider}:receivable:{currency}")
}

/// What was sold, such as `sales:EUR`.
fn sales(currency: &str) -> String {
    format!("sales:{currency}")
}

/// The book that the money of payments is written in.
#[derive(Clone)]
pub(crate) struct Ledger {
    peer: Peer,
    /// Projects and accounts that are known to be there.
    accounts: Arc<Mutex<HashSet<(String, String)>>>,
}

impl Ledger {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, accounts: Arc::default() }
    }

    /// Holds an amount. A repeat changes nothing.
    pub(crate) async fn hold(&self, context: &Context, movement: &Movement) -> Result<(), Error> {
        self.open_accounts(context, movement).await?;
        let results = self.create(context, vec![movement.held()]).await?;
        match code(&results, 0) {
            Code::Unspecified | Code::Exists => Ok(()),
            refused => Err(refusal(&movement.id, refused)),
        }
    }

    /// Ends a movement. A repeat changes nothing.
    ///
    /// The hold goes along: one that is still on its way to the ledger would otherwise come after
    /// its own voiding, and stay for ever.
    pub(crate) async fn end(
        &self,
        context: &Context,
        movement: &Movement,
        ending: Ending,
    ) -> Result<(), Error> {
        self.open_accounts(context, movement).await?;
        let results = self.create(context, vec![movement.held(), movement.ended(ending)]).await?;
        match (ending, code(&results, 0), code(&results, 1)) {
            (_, _, Code::Unspecified | Code::Exists)
            // What was never held needs no voiding, and what was refused once can never be held.
            | (Ending::Void, Code::IdAlreadyFailed, _)
            | (Ending::Void, _, Code::PendingTransferAlreadyVoided | Code::PendingTransferExpired) => {
                Ok(())
            }
            (_, _, refused) => Err(refusal(&movement.id, refused)),
        }
    }

    async fn create(
        &self,
        context: &Context,
        transfers: Vec<Transfer>,
    ) -> Result<Vec<TransferResult>, Error> {
        let mut client = LedgerServiceClient::new(self.peer.as_service(context));
        let answer = client.create_transfers(CreateTransfersRequest { transfers }).await;
        Ok(answer.map_err(Error::LedgerUnreachable)?.into_inner().results)
    }

    async fn open_accounts(&self, context: &Context, movement: &Movement) -> Result<(), Error> {
        let keys = [&movement.debit, &movement.credit]
            .map(|id| (context.caller.project().to_owned(), id.clone()));
        if keys.iter().all(|key| self.known().contains(key)) {
            return Ok(());
        }
        let accounts = movement.accounts();
        let mut client = LedgerServiceClient::new(self.peer.as_service(context));
        let answer = client.create_accounts(CreateAccountsRequest { accounts }).await;
        let results = answer.map_err(Error::LedgerUnreachable)?.into_inner().results;
        for (result, (_, id)) in results.iter().zip(&keys) {
            match result.code() {
                account_result::Code::Unspecified | account_result::Code::Exists => {}
                refused => {
                    let refused = Refused { id: id.clone(), code: refused.as_str_name() };
                    return Err(Error::LedgerRefused(refused));
                }
            }
        }
        self.known().extend(keys);
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<(String, String)>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A result by its place; a missing one is a refusal.
fn code(results: &[TransferResult], at: usize) -> Code {
    results.get(at).map_or(Code::LinkedEventFailed, TransferResult::code)
}

fn refusal(id: &str, code: Code) -> Error {
    Error::LedgerRefused(Refused { id: id.to_owned(), code: code.as_str_name() })
}
