//! Transfers of the ledger, from another process, beside plain SQL that makes the same ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Result, ensure};
use futures_util::FutureExt;
use mesh::{Context, Outgoing, Peer};
use tradewind::ledger::v1::ledger_service_client::LedgerServiceClient;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code;
use tradewind::ledger::v1::{
    Account, CreateAccountsRequest, CreateTransfersRequest, Transfer, VerifyBookRequest,
};

use crate::load::Caller;
use crate::own;
use crate::pairs::Pairs;
use crate::process::{Process, free_address};
use crate::rows::transfers::{AMOUNT, CONNECTIONS, CURRENCY, FUNDS, Movement, Plain};
use crate::rpc::said;
use crate::run::Bench;
use crate::shop::Shop;
use crate::table::Row;

const IN_FLIGHT: usize = 64;
/// How many transfers a call brings, where it brings many.
const MANY: usize = 100;
const WALLETS: usize = 900;
/// What every transfer credits, where all share an account.
const SALES: &str = "sales";
/// What wallets are funded from.
const CASH: &str = "cash";
/// Who calls the ledger.
const CALLER: &str = "payments";

/// Between which accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accounts {
    /// From any wallet to one account, as a shop's sales are.
    Shared,
    /// From any wallet to any other.
    Spread,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let wallets: Vec<_> = (0..WALLETS).map(wallet).collect();
    let (book, plain) =
        (Book::open(bench, &wallets).await?, Plain::open(&wallets, &[SALES]).await?);
    let sides = Sides { book, plain, booked: Arc::default(), written: Arc::default() };
    let of = |accounts: &str| format!("transfers, {IN_FLIGHT} callers, one a call, {accounts}");
    let peer = format!("`SELECT … FOR UPDATE` through sqlx, {CONNECTIONS} connections");
    let row = |name, what: String, pairs| Row::ratio(name, &what, &peer, &pairs);

    let batch = sides.pairs(bench, Accounts::Shared, 1).await?;
    let spread = sides.pairs(bench, Accounts::Spread, 1).await?;
    let many = sides.pairs(bench, Accounts::Shared, MANY).await?;
    sides.check().await?;
    Ok(vec![
        row("ledger-batch", of("all to one account"), batch).with_bar("5"),
        row("ledger-spread", of("between any two of many"), spread),
        row("ledger-many", format!("the same as `ledger-batch`, {MANY} a call"), many),
    ])
}

fn wallet(number: usize) -> String {
    format!("wallet-{number:03}")
}

/// The number-th transfer.
fn movement(number: i64, accounts: Accounts) -> Movement {
    let number = usize::try_from(number).unwrap_or_default();
    // A prime, so that neighbours in time are none in the tables.
    let from = number * 7_919 % WALLETS;
    let credit = match accounts {
        Accounts::Shared => SALES.to_owned(),
        Accounts::Spread => wallet((from + 1 + number % (WALLETS - 1)) % WALLETS),
    };
    Movement { id: format!("transfer-{number}"), debit: wallet(from), credit }
}

/// Both sides, and how many transfers each has made.
struct Sides {
    book: Book,
    plain: Plain,
    booked: Arc<AtomicI64>,
    written: Arc<AtomicI64>,
}

impl Sides {
    /// Transfers a second of each in turns, where the ledger is brought so many with each call.
    async fn pairs(&self, bench: &Bench, accounts: Accounts, a_call: usize) -> Result<Pairs> {
        let next = |made: &Arc<AtomicI64>| {
            let made = Arc::clone(made);
            move || movement(made.fetch_add(1, Ordering::Relaxed), accounts)
        };
        #[expect(clippy::cast_precision_loss, reason = "a hundred is far below 2^52")]
        let times = a_call as f64;
        bench
            .in_turns(
                async || {
                    let caller = |_| self.book.transferring(a_call, next(&self.booked));
                    Ok(bench.load(IN_FLIGHT, caller).await?.rate * times)
                },
                async || {
                    let caller = |_| self.plain.transferring(next(&self.written));
                    Ok(bench.load(IN_FLIGHT, caller).await?.rate)
                },
            )
            .await
    }

    async fn check(&self) -> Result<()> {
        self.book.check(self.booked.load(Ordering::Relaxed)).await?;
        self.plain.check(self.written.load(Ordering::Relaxed)).await
    }
}

/// The ledger in a process of its own, as the payments service calls it.
struct Book {
    peer: Peer,
    context: Context,
    _ledger: Process,
    _shop: Shop,
}

impl Book {
    async fn open(bench: &Bench, wallets: &[String]) -> Result<Self> {
        let at = free_address().await?;
        let shop = Shop::without(&bench.start, "ledger", at).await?;
        let ledger = shop.apart(&bench.start, "ledger", at).await?;
        let peer = shop.mesh(CALLER, "ledger", at)?.peer(CALLER, "ledger");
        let context = own::context(CALLER);
        let book = Self { peer, context, _ledger: ledger, _shop: shop };
        book.fund(wallets).await?;
        Ok(book)
    }

    fn client(&self) -> LedgerServiceClient<Outgoing> {
        LedgerServiceClient::new(self.peer.of(&self.context))
    }

    /// Makes the accounts, with something in each wallet.
    async fn fund(&self, wallets: &[String]) -> Result<()> {
        let account = |id: &str, debits_must_not_exceed_credits| Account {
            id: id.to_owned(),
            currency_code: CURRENCY.to_owned(),
            debits_must_not_exceed_credits,
            ..Account::default()
        };
        let mut accounts = vec![account(SALES, false), account(CASH, false)];
        accounts.extend(wallets.iter().map(|wallet| account(wallet, true)));
        let mut client = self.client();
        let made = client.create_accounts(CreateAccountsRequest { accounts }).await;
        let results = made.map_err(said)?.into_inner().results;
        ensure!(results.iter().all(|result| result.code == 0), "an account was refused");
        let funds = wallets.iter().map(|wallet| Movement {
            id: format!("funds-{wallet}"),
            debit: CASH.to_owned(),
            credit: wallet.clone(),
        });
        transfer(client, funds.map(|it| posted(it, FUNDS)).collect()).await
    }

    /// Makes so many transfers with each call, one call after the other.
    fn transferring(
        &self,
        a_call: usize,
        next: impl Fn() -> Movement + Send + Sync + 'static,
    ) -> Caller {
        let client = self.client();
        Box::new(move || {
            let transfers = (0..a_call).map(|_| posted(next(), AMOUNT)).collect();
            transfer(client.clone(), transfers).boxed()
        })
    }

    /// Makes sure that the book adds up, and to what so many transfers have moved.
    async fn check(&self, made: i64) -> Result<()> {
        let mut client = self.client();
        let verified = client.verify_book(VerifyBookRequest {}).await;
        let verified = verified.map_err(said)?.into_inner();
        ensure!(verified.problems.is_empty(), "the book does not add up: {:?}", verified.problems);
        let debited: i64 = verified.totals.iter().map(|totals| totals.debits_posted).sum();
        let expected = made * AMOUNT + i64::try_from(WALLETS)? * FUNDS;
        ensure!(debited == expected, "{debited} of {expected} was debited");
        Ok(())
    }
}

fn posted(movement: Movement, amount: i64) -> Transfer {
    let Movement { id, debit, credit } = movement;
    Transfer {
        id,
        kind: Kind::Posted.into(),
        debit_account_id: debit,
        credit_account_id: credit,
        amount,
        currency_code: CURRENCY.to_owned(),
        ..Transfer::default()
    }
}

/// One call, each of whose transfers happens.
async fn transfer(
    mut ledger: LedgerServiceClient<Outgoing>,
    transfers: Vec<Transfer>,
) -> Result<()> {
    let count = transfers.len();
    let made = ledger.create_transfers(CreateTransfersRequest { transfers }).await;
    let results = made.map_err(said)?.into_inner().results;
    let happened = results.iter().filter(|result| result.code() == Code::Unspecified).count();
    ensure!(happened == count, "{happened} of {count} transfers happened");
    Ok(())
}
