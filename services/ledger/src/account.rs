//! What an account of the book is: its currency, its limits, and the four sums of its transfers.
//!
//! Invariant: no sum falls below 0, and neither side, pending and posted together, is above [`LARGEST`].

use tradewind::ledger::v1 as contract;
use tradewind::ledger::v1::account_result::Code;

/// The most that a side of an account can be, in minor units: the two sides of an account and an
/// amount still add up within 64 bits.
pub(crate) const LARGEST: i64 = 1_000_000_000_000_000_000;

/// What transfers need to know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) currency_code: String,
    pub(crate) debits_must_not_exceed_credits: bool,
    pub(crate) credits_must_not_exceed_debits: bool,
    pub(crate) balance: Balance,
}

/// The sums of an account's transfers, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) debits: Side,
    pub(crate) credits: Side,
}

/// What is debited, or credited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) pending: i64,
    pub(crate) posted: i64,
}

/// How a transfer changes the debits of one account and the credits of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Movement {
    pending: i64,
    posted: i64,
}

impl Movement {
    /// Moves an amount at once.
    pub(crate) fn post(amount: i64) -> Self {
        Self { pending: 0, posted: amount }
    }

    /// Holds an amount.
    pub(crate) fn hold(amount: i64) -> Self {
        Self { pending: amount, posted: 0 }
    }

    /// Gives back what was held, and moves an amount of it.
    pub(crate) fn settle(held: i64, amount: i64) -> Option<Self> {
        Some(Self { pending: held.checked_neg()?, posted: amount })
    }
}

impl Side {
    fn moved(self, movement: Movement) -> Option<Self> {
        let pending = self.pending.checked_add(movement.pending)?;
        let posted = self.posted.checked_add(movement.posted)?;
        let fits = pending >= 0 && posted >= 0 && pending.checked_add(posted)? <= LARGEST;
        fits.then_some(Self { pending, posted })
    }

    /// Whether it would be more than is posted on the other side, if all that is held were posted.
    fn exceeds(self, other: Self) -> bool {
        self.pending.saturating_add(self.posted) > other.posted
    }
}

impl Balance {
    /// The balance after a movement out of the account, if it fits.
    pub(crate) fn debited(self, movement: Movement) -> Option<Self> {
        Some(Self { debits: self.debits.moved(movement)?, ..self })
    }

    /// The balance after a movement into the account, if it fits.
    pub(crate) fn credited(self, movement: Movement) -> Option<Self> {
        Some(Self { credits: self.credits.moved(movement)?, ..self })
    }
}

impl Account {
    /// Whether a balance has more debits than the account allows.
    pub(crate) fn exceeds_credits(&self, balance: Balance) -> bool {
        self.debits_must_not_exceed_credits && balance.debits.exceeds(balance.credits)
    }

    /// Whether a balance has more credits than the account allows.
    pub(crate) fn exceeds_debits(&self, balance: Balance) -> bool {
        self.credits_must_not_exceed_debits && balance.credits.exceeds(balance.debits)
    }
}

/// What is said of an account that is to be made, where there may be one with its id.
pub(crate) fn outcome(asked: &contract::Account, known: Option<&contract::Account>) -> Code {
    match known {
        Some(known) if is_same(asked, known) => Code::Exists,
        Some(_) => Code::ExistsWithDifferentFields,
        None if asked.debits_must_not_exceed_credits && asked.credits_must_not_exceed_debits => {
            Code::LimitsAreMutuallyExclusive
        }
        None => Code::Unspecified,
    }
}

/// Whether two accounts are made alike; their balances are not compared.
fn is_same(one: &contract::Account, other: &contract::Account) -> bool {
    one.currency_code == other.currency_code
        && one.code == other.code
        && one.debits_must_not_exceed_credits == other.debits_must_not_exceed_credits
        && one.credits_must_not_exceed_debits == other.credits_must_not_exceed_debits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_keeps_within_its_range() {
        let full = Side { pending: 1, posted: LARGEST - 1 };

        assert_eq!(full.moved(Movement::post(1)), None);
        assert_eq!(full.moved(Movement::hold(i64::MAX)), None);
        assert_eq!(full.moved(Movement { pending: -2, posted: 0 }), None);
        let settled = full.moved(Movement::settle(1, 1).unwrap());
        assert_eq!(settled, Some(Side { pending: 0, posted: LARGEST }));
    }

    #[test]
    fn an_account_that_exists_says_so_before_its_limits_are_judged() {
        let account = contract::Account { currency_code: "EUR".into(), ..Default::default() };
        let both = contract::Account {
            debits_must_not_exceed_credits: true,
            credits_must_not_exceed_debits: true,
            ..account.clone()
        };

        assert_eq!(outcome(&account, None), Code::Unspecified);
        assert_eq!(outcome(&account, Some(&account)), Code::Exists);
        assert_eq!(outcome(&both, Some(&account)), Code::ExistsWithDifferentFields);
        assert_eq!(outcome(&both, None), Code::LimitsAreMutuallyExclusive);
    }
}
