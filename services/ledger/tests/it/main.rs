//! The ledger through every layer, on both databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod batches;
mod concurrency;
mod holds;
mod listing;
mod verification;

use harness::{Engine, Harness, part};
use mesh::{Context, HasContext, Outgoing, Request};
use tradewind::ledger::v1::ledger_service_client::LedgerServiceClient;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code;
use tradewind::ledger::v1::{
    Account, CreateAccountsRequest, CreateTransfersRequest, GetAccountsRequest, Transfer,
    TransferResult, VerifyBookRequest,
};

async fn start(engine: Engine) -> Harness {
    let ledger = part(ledger::NAME, ledger::MIGRATIONS, ledger::CONSUMES, |store, mesh| {
        ledger::service(store, mesh)
    });
    Harness::start(engine, vec![ledger]).await
}

/// Calls as the payments service.
fn ledger(harness: &Harness) -> LedgerServiceClient<Outgoing> {
    ledger_of(harness, &harness.as_service("payments", None))
}

fn ledger_of(harness: &Harness, of: &impl HasContext) -> LedgerServiceClient<Outgoing> {
    LedgerServiceClient::new(harness.peer(ledger::NAME).of(of))
}

/// The payments service, in another project.
fn elsewhere(project: &str) -> Context {
    let caller = mesh::Caller::service("payments", project, None);
    Context::new(caller, "test", tracing::Span::none())
}

fn account(id: &str) -> Account {
    Account { id: id.into(), currency_code: "EUR".into(), ..Account::default() }
}

/// An account that may not owe.
fn wallet(id: &str) -> Account {
    Account { debits_must_not_exceed_credits: true, ..account(id) }
}

fn posted(id: &str, debit: &str, credit: &str, amount: i64) -> Transfer {
    Transfer {
        id: id.into(),
        kind: Kind::Posted.into(),
        debit_account_id: debit.into(),
        credit_account_id: credit.into(),
        amount,
        currency_code: "EUR".into(),
        ..Transfer::default()
    }
}

fn pending(id: &str, debit: &str, credit: &str, amount: i64, timeout_seconds: i64) -> Transfer {
    Transfer { kind: Kind::Pending.into(), timeout_seconds, ..posted(id, debit, credit, amount) }
}

fn resolve(id: &str, kind: Kind, pending_id: &str, amount: i64) -> Transfer {
    Transfer {
        kind: kind.into(),
        pending_id: pending_id.into(),
        currency_code: String::new(),
        ..posted(id, "", "", amount)
    }
}

async fn open(harness: &Harness, accounts: Vec<Account>) {
    let request = CreateAccountsRequest { accounts };
    let response = ledger(harness).create_accounts(request).await.unwrap().into_inner();
    assert!(response.results.iter().all(|result| result.code == 0), "{response:?}");
}

async fn make(harness: &Harness, transfers: Vec<Transfer>) -> Vec<Code> {
    make_by(&mut ledger(harness), transfers).await
}

async fn make_by(
    client: &mut LedgerServiceClient<Outgoing>,
    transfers: Vec<Transfer>,
) -> Vec<Code> {
    let request = Request::new(CreateTransfersRequest { transfers });
    let results = client.create_transfers(request).await.unwrap().into_inner().results;
    results.iter().map(TransferResult::code).collect()
}

/// Debits pending and posted, credits pending and posted.
async fn balance(harness: &Harness, id: &str) -> [i64; 4] {
    let request = GetAccountsRequest { ids: vec![id.into()] };
    let response = ledger(harness).get_accounts(request).await.unwrap().into_inner();
    let account = &response.accounts[0];
    [account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted]
}

/// What is wrong with the book.
async fn problems(harness: &Harness) -> Vec<String> {
    ledger(harness).verify_book(VerifyBookRequest {}).await.unwrap().into_inner().problems
}
