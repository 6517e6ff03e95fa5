//! Where the facts come from: the services' pages, joined by the ids of orders.

use std::sync::{Arc, Mutex, PoisonError};

use mesh::{Channel, Status};
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::catalog::v1::{AuditReservationsRequest, AuditedReservation};
use tradewind::ledger::v1::ledger_service_client::LedgerServiceClient;
use tradewind::ledger::v1::{ReferenceSum, SumReferencesRequest};
use tradewind::notifications::v1::notifications_service_client::NotificationsServiceClient;
use tradewind::notifications::v1::{CountMailsRequest, MailCount};
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::{AuditOrdersRequest, AuditedOrder};
use tradewind::payments::v1::payments_service_client::PaymentsServiceClient;
use tradewind::payments::v1::{
    AuditPaymentsRequest, AuditProvidersRequest, AuditedPayment, ProviderEntry,
};

use crate::facts::Facts;
use crate::pages::Pages;

/// How many of each a page has.
const PAGE: i32 = 500;
/// What the ids of orders begin with; references to anything else are not theirs.
const ORDER: &str = "ord_";

/// The lists of all services.
pub(crate) struct Sources {
    pub(crate) ledger: LedgerServiceClient<Channel>,
    pub(crate) stock: StockServiceClient<Channel>,
    orders: Pages<AuditedOrder>,
    payments: Pages<AuditedPayment>,
    sums: Pages<ReferenceSum>,
    reservations: Pages<AuditedReservation>,
    mails: Pages<MailCount>,
    entries: Pages<ProviderEntry>,
    silent: Arc<Mutex<Vec<String>>>,
}

/// A list by a client's call: which client, which call with which request, and where the items are.
macro_rules! pages {
    ($client:expr, $call:ident, $request:ident, $items:ident) => {{
        let client = $client;
        Pages::new(move |page_token| {
            let mut client = client.clone();
            async move {
                let page = client.$call($request { page_size: PAGE, page_token }).await?;
                let page = page.into_inner();
                Ok((page.$items, page.next_page_token))
            }
        })
    }};
}

impl Sources {
    pub(crate) fn new(channel: &impl Fn(&'static str) -> Channel) -> Self {
        let ledger = LedgerServiceClient::new(channel("ledger"));
        let stock = StockServiceClient::new(channel("catalog"));
        let orders = OrdersServiceClient::new(channel("orders"));
        let payments = PaymentsServiceClient::new(channel("payments"));
        let mails = NotificationsServiceClient::new(channel("notifications"));
        let silent = Arc::default();
        Self {
            orders: pages!(orders, audit_orders, AuditOrdersRequest, orders),
            sums: pages!(ledger.clone(), sum_references, SumReferencesRequest, sums),
            reservations: pages!(
                stock.clone(),
                audit_reservations,
                AuditReservationsRequest,
                reservations
            ),
            mails: pages!(mails, count_mails, CountMailsRequest, counts),
            entries: entries(payments.clone(), Arc::clone(&silent)),
            payments: pages!(payments, audit_payments, AuditPaymentsRequest, payments),
            ledger,
            stock,
            silent,
        }
    }

    /// What all services know of the next order that any of them knows.
    pub(crate) async fn next_order(&mut self) -> Result<Option<Facts>, Status> {
        self.skip_others().await?;
        let heads = [
            self.orders.peek().await?.map(|order| order.id.clone()),
            self.payments.peek().await?.map(order_of),
            self.sums.peek().await?.map(|sum| sum.reference.clone()),
            self.reservations.peek().await?.map(|it| it.order_id.clone()),
            self.mails.peek().await?.map(|mail| mail.reference.clone()),
        ];
        let Some(id) = heads.into_iter().flatten().min() else { return Ok(None) };
        let mut facts = Facts {
            order: self.orders.next_if(|order| order.id == id).await?,
            payment: self.payments.next_if(|payment| order_of(payment) == id).await?,
            reservation: self.reservations.next_if(|it| it.order_id == id).await?,
            ..Facts::default()
        };
        while let Some(sum) = self.sums.next_if(|sum| sum.reference == id).await? {
            facts.sums.push(sum);
        }
        while let Some(mail) = self.mails.next_if(|mail| mail.reference == id).await? {
            facts.mails.push(mail);
        }
        facts.id = id;
        Ok(Some(facts))
    }

    /// Passes over references that are to no order.
    async fn skip_others(&mut self) -> Result<(), Status> {
        while self.sums.next_if(|sum| !sum.reference.starts_with(ORDER)).await?.is_some() {}
        while self.mails.next_if(|mail| !mail.reference.starts_with(ORDER)).await?.is_some() {}
        Ok(())
    }

    /// The next attempt or refund, with what its provider has on record.
    pub(crate) async fn next_entry(&mut self) -> Result<Option<ProviderEntry>, Status> {
        self.entries.next().await
    }

    /// The providers that tell nobody, once all entries were read.
    pub(crate) fn silent_providers(&self) -> Vec<String> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn order_of(payment: &AuditedPayment) -> String {
    payment.intent.as_ref().map(|intent| intent.order_id.clone()).unwrap_or_default()
}

fn entries(
    payments: PaymentsServiceClient<Channel>,
    silent: Arc<Mutex<Vec<String>>>,
) -> Pages<ProviderEntry> {
    Pages::new(move |page_token| {
        let (mut payments, silent) = (payments.clone(), Arc::clone(&silent));
        async move {
            let request = AuditProvidersRequest { page_size: PAGE, page_token };
            let page = payments.audit_providers(request).await?.into_inner();
            silent.lock().unwrap_or_else(PoisonError::into_inner).extend(page.silent_providers);
            Ok((page.entries, page.next_page_token))
        }
    })
}
