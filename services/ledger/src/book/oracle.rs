//! The book beside an oracle that is too simple to be wrong: it keeps what happened, adds it up whenever
//! it is asked, collects every result code that holds, and says the lowest.

use std::collections::{BTreeMap, BTreeSet};

use mesh::clock::micros;
use proptest::prelude::*;
use proptest::test_runner::Config;
use tradewind::ledger::v1::Transfer;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code;

use super::{Book, Changes, Hold, State};
use crate::account::{Account, Balance, LARGEST, Side};

const SECOND: i64 = 1_000_000;
/// Near the largest, so that a few transfers overflow.
const HUGE: i64 = LARGEST / 2;

/// Account, currency, whether its debits and whether its credits are limited.
const ACCOUNTS: [(&str, &str, bool, bool); 5] = [
    ("a", "EUR", false, false),
    ("b", "EUR", false, false),
    ("wallet", "EUR", true, false),
    ("cap", "EUR", false, true),
    ("usd", "USD", false, false),
];

#[derive(Debug, Clone, Default)]
struct Oracle {
    now: i64,
    happened: Vec<(Transfer, i64)>,
    refused: BTreeSet<String>,
}

impl Oracle {
    fn find(&self, id: &str) -> Option<&(Transfer, i64)> {
        self.happened.iter().find(|(transfer, _)| transfer.id == id)
    }

    fn state(&self, pending: &Transfer, made: i64) -> State {
        let end = self.happened.iter().find(|(transfer, _)| transfer.pending_id == pending.id);
        let over =
            pending.timeout_seconds > 0 && made + pending.timeout_seconds * SECOND <= self.now;
        match end.map(|(transfer, _)| transfer.kind()) {
            Some(Kind::PostPending) => State::Posted,
            Some(_) => State::Voided,
            None if over => State::Expired,
            None => State::Pending,
        }
    }

    fn balance(&self, account: &str) -> Balance {
        let mut balance = Balance::default();
        for (transfer, made) in &self.happened {
            let (pending, posted) = match transfer.kind() {
                Kind::Pending if self.state(transfer, *made) == State::Pending => {
                    (transfer.amount, 0)
                }
                Kind::Posted | Kind::PostPending => (0, transfer.amount),
                _ => (0, 0),
            };
            for (id, side) in [
                (&transfer.debit_account_id, &mut balance.debits),
                (&transfer.credit_account_id, &mut balance.credits),
            ] {
                if id == account {
                    side.pending += pending;
                    side.posted += posted;
                }
            }
        }
        balance
    }

    fn apply(&mut self, batch: &[Transfer]) -> Vec<Code> {
        let mut codes = Vec::new();
        for chain in batch.split_inclusive(|transfer| !transfer.linked) {
            codes.extend(self.apply_chain(chain));
        }
        codes
    }

    fn apply_chain(&mut self, chain: &[Transfer]) -> Vec<Code> {
        let is_open = chain[chain.len() - 1].linked;
        let all_exist = chain.iter().all(|asked| self.code(asked) == Code::Exists);
        if all_exist && !is_open {
            return vec![Code::Exists; chain.len()];
        }
        let before = self.happened.clone();
        let mut broken = None;
        for (at, asked) in chain.iter().enumerate() {
            let code = self.code(asked);
            let cut = is_open && at == chain.len() - 1;
            if cut || code != Code::Unspecified {
                broken = Some((at, if cut { Code::LinkedEventChainOpen } else { code }));
                break;
            }
            self.keep(asked);
        }
        let Some((at, code)) = broken else { return vec![Code::Unspecified; chain.len()] };
        self.happened = before;
        if [11, 12, 14, 22, 23].contains(&i32::from(code)) {
            self.refused.insert(chain[at].id.clone());
        }
        let mut codes = vec![Code::LinkedEventFailed; chain.len()];
        codes[at] = code;
        if is_open {
            codes[chain.len() - 1] = Code::LinkedEventChainOpen;
        }
        codes
    }

    fn keep(&mut self, asked: &Transfer) {
        let mut kept = asked.clone();
        if kept.kind() == Kind::Unspecified {
            kept.set_kind(Kind::Posted);
        }
        if let Some((pending, _)) = self.find(&asked.pending_id) {
            kept.debit_account_id.clone_from(&pending.debit_account_id);
            kept.credit_account_id.clone_from(&pending.credit_account_id);
            kept.currency_code.clone_from(&pending.currency_code);
            kept.amount = if asked.amount == 0 { pending.amount } else { asked.amount };
        }
        self.happened.push((kept, self.now));
    }

    fn code(&self, asked: &Transfer) -> Code {
        let mut codes = BTreeSet::new();
        if let Some((known, _)) = self.find(&asked.id) {
            // Kept again by the same rules, it must come out as it is kept.
            let mut without = self.clone();
            without.happened.retain(|(transfer, _)| transfer.id != asked.id);
            without.keep(asked);
            let (again, _) = &without.happened[without.happened.len() - 1];
            let names = |asked: &str, known: &str| asked.is_empty() || asked == known;
            let same = again == known
                && (asked.pending_id.is_empty()
                    || names(&asked.debit_account_id, &known.debit_account_id)
                        && names(&asked.credit_account_id, &known.credit_account_id)
                        && names(&asked.currency_code, &known.currency_code));
            return if same { Code::Exists } else { Code::ExistsWithDifferentFields };
        }
        if self.refused.contains(&asked.id) {
            codes.insert(5);
        }
        match asked.kind() {
            Kind::PostPending | Kind::VoidPending => self.resolving(asked, &mut codes),
            Kind::Unspecified | Kind::Posted | Kind::Pending => self.making(asked, &mut codes),
        }
        codes.first().map_or(Code::Unspecified, |code| Code::try_from(*code).unwrap())
    }

    fn making(&self, asked: &Transfer, codes: &mut BTreeSet<i32>) {
        let account = |id: &str| ACCOUNTS.iter().find(|account| account.0 == id);
        let (debit, credit) = (account(&asked.debit_account_id), account(&asked.credit_account_id));
        let mut when = |condition, code| condition && codes.insert(code);
        when(asked.debit_account_id == asked.credit_account_id, 7);
        when(asked.amount == 0, 8);
        when(asked.timeout_seconds != 0 && asked.kind() != Kind::Pending, 9);
        when(debit.is_none(), 11);
        when(credit.is_none(), 12);
        when([debit, credit].iter().flatten().any(|it| it.1 != asked.currency_code), 13);
        let debits = self.balance(&asked.debit_account_id);
        let credits = self.balance(&asked.credit_account_id);
        let after = |side: Side| side.pending + side.posted + asked.amount;
        when(after(debits.debits) > LARGEST || after(credits.credits) > LARGEST, 21);
        when(debit.is_some_and(|it| it.2) && after(debits.debits) > debits.credits.posted, 22);
        when(credit.is_some_and(|it| it.3) && after(credits.credits) > credits.debits.posted, 23);
        when(!asked.pending_id.is_empty(), 24);
    }

    fn resolving(&self, asked: &Transfer, codes: &mut BTreeSet<i32>) {
        let named = self.find(&asked.pending_id);
        let held = named.filter(|(transfer, _)| transfer.kind() == Kind::Pending);
        let mut when = |condition, code| condition && codes.insert(code);
        let is_named = !asked.debit_account_id.is_empty();
        when(is_named && asked.debit_account_id == asked.credit_account_id, 7);
        when(asked.timeout_seconds != 0, 9);
        when(asked.pending_id.is_empty(), 10);
        when(named.is_none(), 14);
        when(named.is_some() && held.is_none(), 15);
        let Some((pending, made)) = held else { return };
        let differs = |asked: &str, held: &str| !asked.is_empty() && asked != held;
        when(differs(&asked.debit_account_id, &pending.debit_account_id), 6);
        when(differs(&asked.credit_account_id, &pending.credit_account_id), 6);
        when(differs(&asked.currency_code, &pending.currency_code), 6);
        let posts = asked.kind() == Kind::PostPending;
        when(posts && asked.amount > pending.amount, 16);
        when(!posts && asked.amount != 0 && asked.amount != pending.amount, 17);
        when(self.state(pending, *made) == State::Posted, 18);
        when(self.state(pending, *made) == State::Voided, 19);
        when(self.state(pending, *made) == State::Expired, 20);
    }
}

/// What tables would keep: a batch gets a book of what it names alone, and its changes are written.
#[derive(Debug, Clone, Default, PartialEq)]
struct Disk {
    time: i64,
    accounts: BTreeMap<String, Account>,
    transfers: BTreeMap<String, Transfer>,
    holds: BTreeMap<String, Hold>,
    refused: BTreeSet<String>,
}

impl Disk {
    fn new() -> Self {
        let account = |(id, currency, wallet, cap): (&str, &str, bool, bool)| {
            let account = Account {
                currency_code: currency.to_owned(),
                debits_must_not_exceed_credits: wallet,
                credits_must_not_exceed_debits: cap,
                balance: Balance::default(),
            };
            (id.to_owned(), account)
        };
        Self { accounts: ACCOUNTS.into_iter().map(account).collect(), ..Self::default() }
    }

    fn apply(&mut self, batch: &[Transfer], now: i64) -> Vec<Code> {
        let mut book = self.load(batch, now);
        book.expire();
        let codes = book.apply(batch);
        self.write(&book.changes());
        codes
    }

    fn load(&self, batch: &[Transfer], now: i64) -> Book {
        let mut book = Book::new(now, self.time.max(now));
        let named = |id: &String| {
            batch.iter().any(|transfer| [&transfer.id, &transfer.pending_id].contains(&id))
        };
        for (id, transfer) in &self.transfers {
            let hold = self.holds.get(id).copied();
            if named(id) || hold.is_some_and(|hold| book.is_over(&hold)) {
                book.add_transfer(transfer.clone(), hold);
            }
        }
        let moved = |id: &str| {
            batch
                .iter()
                .any(|it| [it.debit_account_id.as_str(), &it.credit_account_id].contains(&id))
        };
        let held: BTreeSet<_> = book.holding_account_ids().map(str::to_owned).collect();
        for (id, account) in &self.accounts {
            if moved(id) || held.contains(id) {
                book.add_account(id.clone(), account.clone());
            }
        }
        for id in self.refused.iter().filter(|id| named(id)) {
            book.add_refused(id.clone());
        }
        book
    }

    fn write(&mut self, changes: &Changes<'_>) {
        for transfer in &changes.transfers {
            let time = transfer.time.as_ref().map(micros).unwrap();
            assert!(time > self.time, "times rise");
            self.time = time;
            let before = self.transfers.insert(transfer.id.clone(), (*transfer).clone());
            assert_eq!(before, None, "a transfer never changes");
        }
        for (id, hold) in &changes.holds {
            let before = self.holds.insert((*id).to_owned(), *hold);
            assert!(before.is_none_or(|it| it.state == State::Pending), "a hold ends once");
        }
        for (id, balance) in &changes.balances {
            self.accounts.get_mut(*id).unwrap().balance = *balance;
        }
        self.refused.extend(changes.refused.iter().map(|(id, _)| (*id).to_owned()));
    }

    /// What must hold after every batch.
    fn check(&self, oracle: &Oracle) {
        for currency in ["EUR", "USD"] {
            let of = self.accounts.values().filter(|account| account.currency_code == currency);
            let sum = |side: fn(&Balance) -> i64| {
                of.clone().map(|account| i128::from(side(&account.balance))).sum::<i128>()
            };
            assert_eq!(sum(|it| it.debits.posted), sum(|it| it.credits.posted), "conservation");
            assert_eq!(sum(|it| it.debits.pending), sum(|it| it.credits.pending), "conservation");
        }
        for (id, account) in &self.accounts {
            assert_eq!(account.balance, oracle.balance(id), "{id}: the sums of its transfers");
            assert!(!account.exceeds_credits(account.balance), "{id} owes more than it may");
            assert!(!account.exceeds_debits(account.balance), "{id} holds more than it may");
        }
        assert_eq!(self.transfers.len(), oracle.happened.len());
        assert_eq!(self.refused, oracle.refused);
    }
}

fn transfers() -> impl Strategy<Value = Transfer> {
    let account =
        prop::sample::select(vec!["a", "a", "b", "b", "wallet", "wallet", "cap", "usd", "", "x"]);
    let id =
        prop::sample::select(vec!["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
    let amount = prop::sample::select(vec![0, 1, 5, 10, 10, 10, 100, HUGE]);
    let currency = prop::sample::select(vec!["EUR", "EUR", "EUR", "EUR", "USD", ""]);
    let bare = prop::bool::weighted(0.8);
    (
        (id.clone(), prop::option::weighted(0.1, id.clone()), id),
        (account.clone(), account, currency),
        (0..5, amount, prop::sample::select(vec![0, 0, 0, 2, 10])),
        (bare, prop::bool::weighted(0.25), prop::bool::weighted(0.05)),
    )
        .prop_map(|(ids, parties, what, how)| {
            let mut transfer = Transfer {
                id: ids.0.into(),
                kind: what.0,
                debit_account_id: parties.0.into(),
                credit_account_id: parties.1.into(),
                currency_code: parties.2.into(),
                amount: what.1,
                timeout_seconds: what.2,
                pending_id: ids.1.unwrap_or_default().into(),
                linked: how.1,
                code: how.2.into(),
                ..Transfer::default()
            };
            let resolves = matches!(transfer.kind(), Kind::PostPending | Kind::VoidPending);
            if resolves {
                transfer.pending_id = ids.2.into();
            }
            // Mostly as it should be, or little would ever happen.
            if resolves && how.0 {
                transfer.debit_account_id.clear();
                transfer.credit_account_id.clear();
                transfer.currency_code.clear();
            }
            if transfer.kind() != Kind::Pending && how.0 {
                transfer.timeout_seconds = 0;
            }
            transfer
        })
}

proptest! {
    #![proptest_config(Config { cases: 1024, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_book_agrees_with_the_oracle(
        batches in prop::collection::vec((prop::collection::vec(transfers(), 1..8), 0..4_i64), 1..24)
    ) {
        let (mut disk, mut oracle) = (Disk::new(), Oracle::default());
        for (batch, seconds) in batches {
            oracle.now += seconds * SECOND;
            let before = (disk.accounts.clone(), disk.transfers.clone());
            disk.apply(&[], oracle.now);
            let settled = disk.accounts.clone();

            let codes = disk.apply(&batch, oracle.now);

            prop_assert_eq!(&codes, &oracle.apply(&batch));
            disk.check(&oracle);
            if !codes.contains(&Code::Unspecified) {
                prop_assert_eq!((&disk.accounts, &disk.transfers), (&settled, &before.1));
            }
        }
    }

    #[test]
    fn a_batch_that_is_repeated_changes_nothing(
        batches in prop::collection::vec(prop::collection::vec(transfers(), 1..8), 1..8)
    ) {
        let mut disk = Disk::new();
        for batch in batches {
            let unlinked: Vec<_> =
                batch.into_iter().map(|it| Transfer { linked: false, ..it }).collect();
            let first = disk.apply(&unlinked, 0);
            let after = disk.clone();

            let again = disk.apply(&unlinked, 0);

            for (first, again) in first.iter().zip(&again) {
                if *first == Code::Unspecified {
                    prop_assert_eq!(*again, Code::Exists);
                }
            }
            if again.contains(&Code::Unspecified) {
                // What did not fit may fit once the rest of its batch has happened.
                continue;
            }
            prop_assert_eq!(&disk.transfers, &after.transfers);
            prop_assert_eq!(&disk.accounts, &after.accounts);
        }
    }
}
