//! The book as a state machine: transfers in, a result for each and the rows that change out.
//!
//! It means what `TigerBeetle` means by accounts and transfers. Checks run in the order of the result codes' numbers, so that the
//! lowest of those that hold is said.
//!
//! Invariant: a transfer that is refused changes nothing but that its id may be spent; what a batch
//! adds to the debits, it adds to the credits.

use std::collections::{BTreeSet, HashMap};

use tradewind::ledger::v1::Transfer;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code;

use crate::account::{Account, Balance, Movement};
use crate::transfer::{self, repeats};

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

/// What became of what a pending transfer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Posted,
    Voided,
    Expired,
}

/// What a pending transfer holds, and until when, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) state: State,
    pub(crate) expire_time: Option<i64>,
}

/// The part of a project's book that a batch may touch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    accounts: HashMap<String, Account>,
    transfers: HashMap<String, Transfer>,
    holds: HashMap<String, Hold>,
    /// Ids that were refused for what may change since, with the reason where it was refused here.
    refused: HashMap<String, Option<Code>>,
    /// What time it is, by which holds end.
    now: i64,
    /// The last time that a transfer was given.
    last_time: i64,
    /// What was done since the book was loaded, each with what was before.
    journal: Vec<Step>,
}

/// A change, with what undoes it.
#[derive(Debug, Clone)]
enum Step {
    Balance(String, Balance),
    Hold(String, Option<Hold>),
    Transfer(String),
}

/// What has to be written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes<'b> {
    pub(crate) transfers: Vec<&'b Transfer>,
    /// Holds that are new, and holds that were pending and no longer are.
    pub(crate) holds: Vec<(&'b str, Hold)>,
    pub(crate) balances: Vec<(&'b str, Balance)>,
    pub(crate) refused: Vec<(&'b str, Code)>,
}

impl Changes<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Book {
    /// A book at a time, whose last transfer was at another; both in microseconds since 1970.
    pub(crate) fn new(now: i64, last_time: i64) -> Self {
        Self { now, last_time, ..Self::default() }
    }

    pub(crate) fn add_account(&mut self, id: String, account: Account) {
        self.accounts.insert(id, account);
    }

    /// Adds a transfer that happened, with its hold if it is a pending one.
    pub(crate) fn add_transfer(&mut self, transfer: Transfer, hold: Option<Hold>) {
        if let Some(hold) = hold {
            self.holds.insert(transfer.id.clone(), hold);
        }
        self.transfers.insert(transfer.id.clone(), transfer);
    }

    /// Adds an id that can never happen.
    pub(crate) fn add_refused(&mut self, id: String) {
        self.refused.insert(id, None);
    }

    /// The accounts between which amounts are held.
    pub(crate) fn holding_account_ids(&self) -> impl Iterator<Item = &str> {
        let held = self.holds.iter().filter(|(_, hold)| hold.state == State::Pending);
        held.filter_map(|(id, _)| self.transfers.get(id)).flat_map(|transfer| {
            [transfer.debit_account_id.as_str(), transfer.credit_account_id.as_str()]
        })
    }

    /// Gives back what was held beyond its time.
    pub(crate) fn expire(&mut self) {
        let over: BTreeSet<_> = self
            .holds
            .iter()
            .filter(|(_, hold)| self.is_over(hold))
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            let Some(pending) = self.transfers.get(&id).cloned() else { continue };
            // An account that is missing is what VerifyBook reports.
            let _ = self.settle(&pending, 0, State::Expired);
        }
    }

    /// Makes transfers in order; a chain of linked ones happens whole or not at all.
    pub(crate) fn apply(&mut self, batch: &[Transfer]) -> Vec<Code> {
        let chains = batch.split_inclusive(|transfer| !transfer.linked);
        chains.flat_map(|chain| self.apply_chain(chain)).collect()
    }

    fn apply_chain(&mut self, chain: &[Transfer]) -> Vec<Code> {
        let last = chain.len().saturating_sub(1);
        let is_open = chain.last().is_some_and(|transfer| transfer.linked);
        if !is_open && chain.iter().all(|transfer| self.happened(transfer)) {
            return vec![Code::Exists; chain.len()];
        }
        let (before, time) = (self.journal.len(), self.last_time);
        for (at, transfer) in chain.iter().enumerate() {
            let applied = if is_open && at == last {
                Err(Code::LinkedEventChainOpen)
            } else {
                self.apply_one(transfer)
            };
            let Err(code) = applied else { continue };
            self.undo_to(before);
            self.last_time = time;
            if is_transient(code) {
                self.refused.insert(transfer.id.clone(), Some(code));
            }
            let mut codes = vec![Code::LinkedEventFailed; chain.len()];
            codes[at] = code;
            if is_open {
                codes[last] = Code::LinkedEventChainOpen;
            }
            return codes;
        }
        vec![Code::Unspecified; chain.len()]
    }

    fn happened(&self, asked: &Transfer) -> bool {
        self.transfers.get(&asked.id).is_some_and(|known| self.is_repeat(known, asked))
    }

    fn is_repeat(&self, known: &Transfer, asked: &Transfer) -> bool {
        repeats(known, asked, self.transfers.get(&known.pending_id))
    }

    fn apply_one(&mut self, asked: &Transfer) -> Result<(), Code> {
        if let Some(known) = self.transfers.get(&asked.id) {
            let repeat = self.is_repeat(known, asked);
            return Err(if repeat { Code::Exists } else { Code::ExistsWithDifferentFields });
        }
        if self.refused.contains_key(&asked.id) {
            return Err(Code::IdAlreadyFailed);
        }
        match asked.kind() {
            Kind::Unspecified | Kind::Posted => {
                self.make(asked, Movement::post(asked.amount), false)
            }
            Kind::Pending => self.make(asked, Movement::hold(asked.amount), true),
            Kind::PostPending => self.resolve(asked, State::Posted),
            Kind::VoidPending => self.resolve(asked, State::Voided),
        }
    }

    /// Moves an amount between two accounts, or holds it.
    fn make(&mut self, asked: &Transfer, movement: Movement, holds: bool) -> Result<(), Code> {
        if asked.debit_account_id == asked.credit_account_id {
            return Err(Code::AccountsMustBeDifferent);
        }
        if asked.amount <= 0 {
            return Err(Code::AmountMustNotBeZero);
        }
        if !holds && asked.timeout_seconds != 0 {
            return Err(Code::TimeoutReservedForPendingTransfer);
        }
        let debit = self.accounts.get(&asked.debit_account_id).ok_or(Code::DebitAccountNotFound)?;
        let credit =
            self.accounts.get(&asked.credit_account_id).ok_or(Code::CreditAccountNotFound)?;
        if [debit, credit].iter().any(|account| account.currency_code != asked.currency_code) {
            return Err(Code::MustHaveTheSameCurrency);
        }
        let debited = debit.balance.debited(movement).ok_or(Code::Overflows)?;
        let credited = credit.balance.credited(movement).ok_or(Code::Overflows)?;
        if debit.exceeds_credits(debited) {
            return Err(Code::ExceedsCredits);
        }
        if credit.exceeds_debits(credited) {
            return Err(Code::ExceedsDebits);
        }
        if !asked.pending_id.is_empty() {
            return Err(Code::PendingIdMustBeEmpty);
        }
        self.keep_balance(&asked.debit_account_id, debited);
        self.keep_balance(&asked.credit_account_id, credited);
        if holds {
            let expire_time = transfer::expire_time(asked, self.now);
            self.keep_hold(&asked.id, Hold { state: State::Pending, expire_time });
        }
        self.keep_transfer(asked.clone());
        Ok(())
    }

    /// Posts or voids what a pending transfer holds.
    fn resolve(&mut self, asked: &Transfer, to: State) -> Result<(), Code> {
        let named = self.transfers.get(&asked.pending_id);
        let held = named.zip(self.holds.get(&asked.pending_id).copied());
        if held.is_some_and(|(pending, _)| transfer::differs(asked, pending)) {
            return Err(Code::PendingTransferHasDifferentFields);
        }
        let names_accounts = !asked.debit_account_id.is_empty();
        if names_accounts && asked.debit_account_id == asked.credit_account_id {
            return Err(Code::AccountsMustBeDifferent);
        }
        if asked.timeout_seconds != 0 {
            return Err(Code::TimeoutReservedForPendingTransfer);
        }
        if asked.pending_id.is_empty() {
            return Err(Code::PendingIdMustNotBeEmpty);
        }
        if named.is_none() {
            return Err(Code::PendingTransferNotFound);
        }
        let (pending, hold) = held.ok_or(Code::PendingTransferNotPending)?;
        let amount = if asked.amount == 0 { pending.amount } else { asked.amount };
        if to == State::Posted && amount > pending.amount {
            return Err(Code::ExceedsPendingTransferAmount);
        }
        if to == State::Voided && amount != pending.amount {
            return Err(Code::PendingTransferHasDifferentAmount);
        }
        match hold.state {
            State::Posted => return Err(Code::PendingTransferAlreadyPosted),
            State::Voided => return Err(Code::PendingTransferAlreadyVoided),
            State::Expired => return Err(Code::PendingTransferExpired),
            State::Pending if self.is_over(&hold) => return Err(Code::PendingTransferExpired),
            State::Pending => {}
        }
        let pending = pending.clone();
        let moved = if to == State::Posted { amount } else { 0 };
        self.settle(&pending, moved, to)?;
        self.keep_transfer(transfer::resolved(asked, &pending, amount));
        Ok(())
    }

    /// Ends a hold: gives all of it back, and moves an amount of it.
    fn settle(&mut self, pending: &Transfer, amount: i64, to: State) -> Result<(), Code> {
        let movement = Movement::settle(pending.amount, amount).ok_or(Code::Overflows)?;
        let debit =
            self.accounts.get(&pending.debit_account_id).ok_or(Code::DebitAccountNotFound)?;
        let credit =
            self.accounts.get(&pending.credit_account_id).ok_or(Code::CreditAccountNotFound)?;
        let debited = debit.balance.debited(movement).ok_or(Code::Overflows)?;
        let credited = credit.balance.credited(movement).ok_or(Code::Overflows)?;
        let expire_time = self.holds.get(&pending.id).and_then(|hold| hold.expire_time);
        self.keep_balance(&pending.debit_account_id, debited);
        self.keep_balance(&pending.credit_account_id, credited);
        self.keep_hold(&pending.id, Hold { state: to, expire_time });
        Ok(())
    }

    fn is_over(&self, hold: &Hold) -> bool {
        hold.state == State::Pending && hold.expire_time.is_some_and(|time| time <= self.now)
    }

    fn keep_balance(&mut self, id: &str, balance: Balance) {
        if let Some(account) = self.accounts.get_mut(id) {
            self.journal.push(Step::Balance(id.to_owned(), account.balance));
            account.balance = balance;
        }
    }

    fn keep_hold(&mut self, id: &str, hold: Hold) {
        let before = self.holds.insert(id.to_owned(), hold);
        self.journal.push(Step::Hold(id.to_owned(), before));
    }

    fn keep_transfer(&mut self, asked: Transfer) {
        self.last_time += 1;
        let transfer = transfer::happened(asked, self.last_time);
        self.journal.push(Step::Transfer(transfer.id.clone()));
        self.transfers.insert(transfer.id.clone(), transfer);
    }

    fn undo_to(&mut self, length: usize) {
        while self.journal.len() > length {
            match self.journal.pop() {
                Some(Step::Balance(id, before)) => {
                    if let Some(account) = self.accounts.get_mut(&id) {
                        account.balance = before;
                    }
                }
                Some(Step::Hold(id, Some(before))) => {
                    self.holds.insert(id, before);
                }
                Some(Step::Hold(id, None)) => {
                    self.holds.remove(&id);
                }
                Some(Step::Transfer(id)) => {
                    self.transfers.remove(&id);
                }
                None => {}
            }
        }
    }

    /// What has changed since the book was loaded, each row once.
    pub(crate) fn changes(&self) -> Changes<'_> {
        let mut changes = Changes::default();
        let (mut balances, mut holds) = (BTreeSet::new(), BTreeSet::new());
        for step in &self.journal {
            match step {
                Step::Balance(id, _) => {
                    balances.insert(id.as_str());
                }
                Step::Hold(id, _) => {
                    holds.insert(id.as_str());
                }
                Step::Transfer(id) => changes.transfers.extend(self.transfers.get(id)),
            }
        }
        for id in balances {
            changes.balances.extend(self.accounts.get(id).map(|account| (id, account.balance)));
        }
        for id in holds {
            changes.holds.extend(self.holds.get(id).map(|hold| (id, *hold)));
        }
        let refused = self.refused.iter();
        changes.refused.extend(refused.filter_map(|(id, code)| Some((id.as_str(), (*code)?))));
        changes
    }
}

/// Whether a refusal is for what may change, so that its id must never happen later: a caller that
/// was told no may rely on it.
fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::DebitAccountNotFound
            | Code::CreditAccountNotFound
            | Code::PendingTransferNotFound
            | Code::ExceedsCredits
            | Code::ExceedsDebits
    )
}
