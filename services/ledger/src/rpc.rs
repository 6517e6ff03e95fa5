//! `LedgerService`, answered.

use std::collections::HashMap;

use ::store::Store;
use mesh::clock::micros;
use mesh::{HasContext, Request, Response, Status, async_trait};
use tradewind::ledger::v1::account_result::Code as AccountCode;
use tradewind::ledger::v1::ledger_service_server::LedgerService;
use tradewind::ledger::v1::{
    Account, AccountResult, CreateAccountsRequest, CreateAccountsResponse, CreateTransfersRequest,
    CreateTransfersResponse, GetAccountsRequest, GetAccountsResponse, ListTransfersRequest,
    ListTransfersResponse, SumReferencesRequest, SumReferencesResponse, Transfer, TransferResult,
    VerifyBookRequest, VerifyBookResponse,
};

use crate::error::Error;
use crate::store::{accounts, references, transfers};
use crate::writer::Writer;
use crate::{account, verify};

/// The size of a page when nothing is said.
const PAGE: i32 = 50;
/// How many references a page has when nothing is said.
const REFERENCES: u32 = 500;

/// Answers for the book.
pub(crate) struct Ledger {
    pub(crate) store: Store,
    pub(crate) writer: Writer,
}

#[async_trait]
impl LedgerService for Ledger {
    async fn create_accounts(
        &self,
        request: Request<CreateAccountsRequest>,
    ) -> Result<Response<CreateAccountsResponse>, Status> {
        let asked = &request.get_ref().accounts;
        let ids: Vec<_> = asked.iter().map(|account| account.id.as_str()).collect();
        let reader = self.store.read(&request);
        let mut known = accounts::find(&reader, &ids).await.map_err(Error::from)?;

        let mut codes = outcomes(asked, &known);
        let new: Vec<_> = new_accounts(asked, &codes).collect();
        if !new.is_empty() {
            let mut tx = self.store.begin(&request).await?;
            let made = accounts::insert(&mut tx, &new, self.store.clock().now_micros()).await?;
            tx.commit().await?;
            if made.len() < new.len() {
                // Another call made the rest since they were looked for.
                known = accounts::find(&reader, &ids).await.map_err(Error::from)?;
                known.retain(|id, _| !made.contains(id));
                codes = outcomes(asked, &known);
            }
        }
        let results = codes.into_iter().map(|code| AccountResult { code: code.into() }).collect();
        Ok(Response::new(CreateAccountsResponse { results }))
    }

    async fn create_transfers(
        &self,
        request: Request<CreateTransfersRequest>,
    ) -> Result<Response<CreateTransfersResponse>, Status> {
        let context = request.context().clone();
        let transfers = request.into_inner().transfers;
        refuse_nul(&transfers)?;

        let codes = self.writer.write(context.caller.project(), transfers, context.trace).await?;

        let results = codes.into_iter().map(|code| TransferResult { code: code.into() }).collect();
        Ok(Response::new(CreateTransfersResponse { results }))
    }

    async fn get_accounts(
        &self,
        request: Request<GetAccountsRequest>,
    ) -> Result<Response<GetAccountsResponse>, Status> {
        let reader = self.store.read(&request);
        let ids: Vec<_> = request.get_ref().ids.iter().map(String::as_str).collect();
        let found = accounts::find(&reader, &ids).await.map_err(Error::from)?;
        let accounts = ids.iter().filter_map(|id| found.get(*id).cloned()).collect();
        Ok(Response::new(GetAccountsResponse { accounts }))
    }

    async fn list_transfers(
        &self,
        request: Request<ListTransfersRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        let reader = self.store.read(&request);
        let ListTransfersRequest { page_size, page_token, account_id, reference } =
            request.into_inner();
        let size = if page_size == 0 { PAGE } else { page_size };
        let page = transfers::Page {
            account_id: &account_id,
            reference: &reference,
            after: time_of(&page_token)?,
            // One more tells whether there is another page.
            limit: i64::from(size) + 1,
        };
        let mut transfers = transfers::list(&reader, &page).await.map_err(Error::from)?;
        let size = usize::try_from(size).unwrap_or_default();
        let is_last = transfers.len() <= size;
        transfers.truncate(size);
        let next = transfers.last().filter(|_| !is_last).map(token_of).unwrap_or_default();
        Ok(Response::new(ListTransfersResponse { transfers, next_page_token: next }))
    }

    async fn sum_references(
        &self,
        request: Request<SumReferencesRequest>,
    ) -> Result<Response<SumReferencesResponse>, Status> {
        let reader = self.store.read(&request);
        let SumReferencesRequest { page_size, page_token: after } = request.get_ref();
        let size = u32::try_from(*page_size).ok().filter(|size| *size > 0).unwrap_or(REFERENCES);
        let end = references::page_end(&reader, after, size).await.map_err(Error::from)?;
        let Some((last, more)) = end else {
            return Ok(Response::new(SumReferencesResponse::default()));
        };
        let sums = references::sums(&reader, after, &last).await.map_err(Error::from)?;
        let next_page_token = if more { last } else { String::new() };
        Ok(Response::new(SumReferencesResponse { sums, next_page_token }))
    }

    async fn verify_book(
        &self,
        request: Request<VerifyBookRequest>,
    ) -> Result<Response<VerifyBookResponse>, Status> {
        let report = verify::verify(&self.store.read(&request)).await.map_err(Error::from)?;
        Ok(Response::new(report))
    }
}

/// What is said of accounts, where some are known; one that comes twice is known the second time.
fn outcomes(asked: &[Account], known: &HashMap<String, Account>) -> Vec<AccountCode> {
    let mut known: HashMap<&str, &Account> =
        known.iter().map(|(id, account)| (id.as_str(), account)).collect();
    let mut codes = Vec::with_capacity(asked.len());
    for asked in asked {
        let code = account::outcome(asked, known.get(asked.id.as_str()).copied());
        if code == AccountCode::Unspecified {
            known.insert(&asked.id, asked);
        }
        codes.push(code);
    }
    codes
}

fn new_accounts<'a>(
    asked: &'a [Account],
    codes: &'a [AccountCode],
) -> impl Iterator<Item = &'a Account> {
    let made = asked.iter().zip(codes).filter(|(_, code)| **code == AccountCode::Unspecified);
    made.map(|(account, _)| account)
}

/// PostgreSQL cannot keep U+0000; in a shared transaction it would fail the calls of others too.
fn refuse_nul(transfers: &[Transfer]) -> Result<(), Error> {
    let holds_nul = transfers.iter().any(|transfer| {
        [
            &transfer.id,
            &transfer.debit_account_id,
            &transfer.credit_account_id,
            &transfer.currency_code,
            &transfer.pending_id,
            &transfer.reference,
        ]
        .iter()
        .any(|text| text.contains('\0'))
    });
    if holds_nul { Err(Error::Store(::store::Error::Nul)) } else { Ok(()) }
}

/// A page goes on after the time of the last transfer of the one before.
fn token_of(last: &Transfer) -> String {
    format!("{:016x}", last.time.as_ref().map(micros).unwrap_or_default())
}

fn time_of(token: &str) -> Result<i64, Error> {
    if token.is_empty() {
        return Ok(i64::MIN);
    }
    let digits = token.len() == 16 && token.bytes().all(|digit| digit.is_ascii_hexdigit());
    let time = digits.then(|| i64::from_str_radix(token, 16).ok()).flatten();
    time.ok_or(Error::InvalidPageToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_is_read_back_and_another_text_is_refused() {
        let time = mesh::clock::timestamp(1_767_225_600_000_000);
        let transfer = Transfer { time: Some(time), ..Transfer::default() };

        assert_eq!(time_of(&token_of(&transfer)).unwrap(), 1_767_225_600_000_000);
        for token in ["x", "-00000000000001", "+000000000000001", "ffffffffffffffff"] {
            assert!(time_of(token).is_err(), "{token}");
        }
    }

    #[test]
    fn an_account_that_comes_twice_is_known_the_second_time() {
        let account = |code| Account { id: "a".into(), code, ..Account::default() };

        let codes = outcomes(&[account(1), account(1), account(2)], &HashMap::new());

        let expected =
            [AccountCode::Unspecified, AccountCode::Exists, AccountCode::ExistsWithDifferentFields];
        assert_eq!(codes, expected);
    }
}
