//! A ledger small enough for a test: transfers by their ids, held, posted or voided.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use mesh::{Code, Detail, Request, Response, Status, async_trait};
use tokio::sync::watch;
use tradewind::ledger::v1::ledger_service_server::LedgerService;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::transfer_result::Code as Outcome;
use tradewind::ledger::v1::{
    AccountResult, CreateAccountsRequest, CreateAccountsResponse, CreateTransfersRequest,
    CreateTransfersResponse, GetAccountsRequest, GetAccountsResponse, ListTransfersRequest,
    ListTransfersResponse, SumReferencesRequest, SumReferencesResponse, Transfer, TransferResult,
    VerifyBookRequest, VerifyBookResponse, account_result,
};

/// What the book holds, and whether it can be reached.
pub(crate) struct Book {
    accounts: Mutex<HashSet<String>>,
    transfers: Mutex<BTreeMap<String, Transfer>>,
    weather: watch::Sender<Weather>,
}

/// How calls to the book fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// They are answered.
    Fair,
    /// They are refused.
    Down,
    /// They are not answered until that changes.
    Silent,
    /// They have their effect, and the answer is lost.
    Deaf,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Never,
    Pending,
    Posted,
    Voided,
}

impl Book {
    pub(crate) fn new() -> Arc<Self> {
        let weather = watch::Sender::new(Weather::Fair);
        Arc::new(Self { accounts: Mutex::default(), transfers: Mutex::default(), weather })
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// What became of the hold with an id.
    pub(crate) fn held(&self, id: &str) -> Held {
        held(&self.transfers.lock().unwrap(), id)
    }

    /// What an account was debited less what it was credited, as far as it is posted.
    pub(crate) fn balance(&self, account: &str) -> i64 {
        let transfers = self.transfers.lock().unwrap();
        let posted = transfers.values().filter(|transfer| {
            transfer.kind() == Kind::Pending && held(&transfers, &transfer.id) == Held::Posted
        });
        posted
            .map(|transfer| match account {
                it if it == transfer.debit_account_id => transfer.amount,
                it if it == transfer.credit_account_id => -transfer.amount,
                _ => 0,
            })
            .sum()
    }

    /// How many holds are neither posted nor voided.
    pub(crate) fn pending(&self) -> usize {
        let transfers = self.transfers.lock().unwrap();
        let ids = transfers.keys();
        ids.filter(|id| held(&transfers, id) == Held::Pending).count()
    }

    fn create(&self, transfer: Transfer) -> Outcome {
        let accounts = self.accounts.lock().unwrap();
        let mut transfers = self.transfers.lock().unwrap();
        if let Some(known) = transfers.get(&transfer.id) {
            return if *known == transfer {
                Outcome::Exists
            } else {
                Outcome::ExistsWithDifferentFields
            };
        }
        match transfer.kind() {
            Kind::Pending if !accounts.contains(&transfer.debit_account_id) => {
                return Outcome::DebitAccountNotFound;
            }
            Kind::Pending if !accounts.contains(&transfer.credit_account_id) => {
                return Outcome::CreditAccountNotFound;
            }
            Kind::PostPending | Kind::VoidPending => match held(&transfers, &transfer.pending_id) {
                Held::Never => return Outcome::PendingTransferNotFound,
                Held::Posted => return Outcome::PendingTransferAlreadyPosted,
                Held::Voided => return Outcome::PendingTransferAlreadyVoided,
                Held::Pending => {}
            },
            Kind::Pending | Kind::Posted | Kind::Unspecified => {}
        }
        transfers.insert(transfer.id.clone(), transfer);
        Outcome::Unspecified
    }

    /// Waits out a silence; refuses while the book is down.
    async fn reach(&self) -> Result<(), Status> {
        let mut weather = self.weather.subscribe();
        let now = *weather.wait_for(|weather| *weather != Weather::Silent).await.unwrap();
        if now == Weather::Down { Err(unreachable()) } else { Ok(()) }
    }

    fn answer<T>(&self, answer: T) -> Result<Response<T>, Status> {
        let deaf = *self.weather.borrow() == Weather::Deaf;
        if deaf { Err(unreachable()) } else { Ok(Response::new(answer)) }
    }
}

fn held(transfers: &BTreeMap<String, Transfer>, id: &str) -> Held {
    if transfers.get(id).is_none_or(|transfer| transfer.kind() != Kind::Pending) {
        return Held::Never;
    }
    let end = transfers.values().find(|transfer| transfer.pending_id == id);
    end.map_or(Held::Pending, |end| match end.kind() {
        Kind::PostPending => Held::Posted,
        Kind::VoidPending | Kind::Pending | Kind::Posted | Kind::Unspecified => Held::Voided,
    })
}

fn unreachable() -> Status {
    mesh::refuse(
        Code::Unavailable,
        "ledger.tradewind",
        "DOWN",
        "the book is closed",
        Detail::default(),
    )
}

/// The book, as a server of its contract.
pub(crate) struct BookServer(pub(crate) Arc<Book>);

#[async_trait]
impl LedgerService for BookServer {
    async fn create_accounts(
        &self,
        request: Request<CreateAccountsRequest>,
    ) -> Result<Response<CreateAccountsResponse>, Status> {
        self.0.reach().await?;
        let mut known = self.0.accounts.lock().unwrap();
        let accounts = request.into_inner().accounts.into_iter();
        let result = |is_new| {
            let code = if is_new {
                account_result::Code::Unspecified
            } else {
                account_result::Code::Exists
            };
            AccountResult { code: code.into() }
        };
        let results = accounts.map(|account| result(known.insert(account.id))).collect();
        self.0.answer(CreateAccountsResponse { results })
    }

    async fn create_transfers(
        &self,
        request: Request<CreateTransfersRequest>,
    ) -> Result<Response<CreateTransfersResponse>, Status> {
        self.0.reach().await?;
        let transfers = request.into_inner().transfers.into_iter();
        let results = transfers
            .map(|transfer| TransferResult { code: self.0.create(transfer).into() })
            .collect();
        self.0.answer(CreateTransfersResponse { results })
    }

    async fn get_accounts(
        &self,
        _: Request<GetAccountsRequest>,
    ) -> Result<Response<GetAccountsResponse>, Status> {
        Err(Status::unimplemented("payments do not read accounts"))
    }

    async fn list_transfers(
        &self,
        _: Request<ListTransfersRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        Err(Status::unimplemented("payments do not read transfers"))
    }

    async fn sum_references(
        &self,
        _: Request<SumReferencesRequest>,
    ) -> Result<Response<SumReferencesResponse>, Status> {
        Err(Status::unimplemented("payments do not read sums"))
    }

    async fn verify_book(
        &self,
        _: Request<VerifyBookRequest>,
    ) -> Result<Response<VerifyBookResponse>, Status> {
        Err(Status::unimplemented("payments do not read the book"))
    }
}
