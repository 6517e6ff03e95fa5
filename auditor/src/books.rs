//! What adds up over all orders: the book, the shelves, the sums.

use std::collections::BTreeMap;

use mesh::Status;
use tradewind::catalog::v1::{VerifyStockRequest, WrongLevel};
use tradewind::ledger::v1::{Account, GetAccountsRequest, VerifyBookRequest};

use crate::facts::Facts;
use crate::money::amount;
use crate::report::{Check, Finding, Side};
use crate::sources::Sources;

/// What the book says of itself.
pub(crate) async fn ledger(sources: &mut Sources) -> Result<Vec<Finding>, Status> {
    let book = sources.ledger.verify_book(VerifyBookRequest {}).await?.into_inner();
    let findings = book.problems.into_iter().map(|problem| Finding {
        check: Check::Book,
        id: problem.split(':').next().unwrap_or_default().to_owned(),
        sides: vec![Side::new("ledger", problem.clone())],
        problem: "the book does not add up".into(),
        advice: "stop writing, and restore the ledger from the last backup whose book adds up"
            .into(),
        settling: false,
    });
    Ok(findings.collect())
}

/// Variants whose stock is not what their movements add up to.
pub(crate) async fn shelves(sources: &mut Sources) -> Result<Vec<Finding>, Status> {
    let stock = sources.stock.verify_stock(VerifyStockRequest {}).await?.into_inner();
    let finding = |wrong: WrongLevel| Finding {
        check: Check::Shelf,
        problem: "the stock of a variant is not what its movements add up to".into(),
        sides: vec![
            Side::new("level", format!("{} on hand, {} held", wrong.on_hand, wrong.reserved)),
            Side::new(
                "movements",
                format!("{} on hand, {} held", wrong.moved_on_hand, wrong.moved_reserved),
            ),
        ],
        advice: "count the shelf, and look who wrote to stock_levels besides the catalog".into(),
        id: wrong.variant_id,
        settling: false,
    };
    Ok(stock.wrong.into_iter().map(finding).collect())
}

/// What all orders bring, as each service says, by currency.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    totals: BTreeMap<String, Totals>,
    /// What the ledger's accounts of sales held when it began.
    before: BTreeMap<String, i64>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Totals {
    orders: i64,
    payments: i64,
    ledger: i64,
}

impl Sums {
    pub(crate) async fn begin(sources: &mut Sources) -> Result<Self, Status> {
        let book = sources.ledger.verify_book(VerifyBookRequest {}).await?.into_inner();
        let currencies = book.totals.into_iter().map(|totals| totals.currency_code);
        let mut sums = Self::default();
        for currency in currencies {
            sums.totals.entry(currency).or_default();
        }
        sums.before = sums.sales(sources).await?;
        Ok(sums)
    }

    pub(crate) fn add(&mut self, facts: &Facts) {
        let totals = self.totals.entry(facts.currency().to_owned()).or_default();
        totals.orders += facts.order_net();
        totals.payments += facts.payment_net();
        totals.ledger += facts.ledger_net();
    }

    /// Where the sums differ; while orders are being placed, they may.
    pub(crate) async fn end(
        self,
        sources: &mut Sources,
        moving: bool,
    ) -> Result<Vec<Finding>, Status> {
        let after = self.sales(sources).await?;
        let settling = moving || after != self.before;
        let mut findings = Vec::new();
        for (currency, totals) in &self.totals {
            let sales = after.get(currency).copied().unwrap_or(0);
            let Totals { orders, payments, ledger } = *totals;
            if [payments, ledger, sales].iter().all(|sum| *sum == orders) {
                continue;
            }
            let side = |who, minor| Side::new(who, amount(minor, currency));
            findings.push(Finding {
                check: Check::Sums,
                id: currency.clone(),
                problem: "the sums over all orders differ".into(),
                sides: vec![
                    side("orders", orders),
                    side("payments", payments),
                    side("ledger, by order", ledger),
                    side("ledger, sales", sales),
                ],
                advice: "see to the orders that are named above; if none is, look at transfers of \
                         sales without a reference"
                    .into(),
                settling,
            });
        }
        Ok(findings)
    }

    /// What the accounts of sales hold, by currency.
    async fn sales(&self, sources: &mut Sources) -> Result<BTreeMap<String, i64>, Status> {
        let ids: Vec<_> = self
            .totals
            .keys()
            .filter(|currency| !currency.is_empty())
            .map(|currency| format!("sales:{currency}"))
            .collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let accounts = sources.ledger.get_accounts(GetAccountsRequest { ids }).await?.into_inner();
        let balance = |account: Account| {
            (account.currency_code, account.credits_posted - account.debits_posted)
        };
        Ok(accounts.accounts.into_iter().map(balance).collect())
    }
}
