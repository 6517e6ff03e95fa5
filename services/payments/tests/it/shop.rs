//! A shop that is paid: payments, a book, a bank, and an ear for what payments tell.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::{Engine, Harness, part};
use mesh::{Context, Outgoing, Service, Status};
use payments::Config;
use tonic_types::StatusExt;
use tradewind::ledger::v1::ledger_service_server::LedgerServiceServer;
use tradewind::money::v1::Money;
use tradewind::payments::v1::payment_attempt::Outcome;
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::payments_service_client::PaymentsServiceClient;
use tradewind::payments::v1::{
    CancelPaymentRequest, CompleteSimulatedActionRequest, GetPaymentRequest, ListAttemptsRequest,
    PayRequest, PaymentAttempt, PaymentChanged, PaymentIntent, Refund, RefundChanged,
    RefundPaymentRequest,
};

use crate::bank::Bank;
use crate::book::{Book, BookServer};

pub(crate) const ORDER: &str = "ord_1";
pub(crate) const CUSTOMER: &str = "usr_1";
pub(crate) const PRICE: i64 = 1000;

const HEARD: &[&str] =
    &["tradewind.payments.v1.PaymentChanged", "tradewind.payments.v1.RefundChanged"];

pub(crate) struct Shop {
    pub(crate) harness: Harness,
    pub(crate) book: Arc<Book>,
    pub(crate) bank: Arc<Bank>,
    /// The state of each intent that was told of, and of each refund.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    pub(crate) async fn open(engine: Engine) -> Self {
        let (book, bank) = (Book::new(), Bank::new());
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let config = Config { providers: vec![bank.clone()], ..Config::default() };
        let (server, ear) = (BookServer(Arc::clone(&book)), Arc::clone(&heard));
        let parts = vec![
            part(payments::NAME, payments::MIGRATIONS, payments::CONSUMES, |store, mesh| {
                payments::service(config, store, mesh)
            }),
            part("ledger", &[], &[], |_, _| {
                Service::new("ledger").answer(LedgerServiceServer::new(server))
            }),
            part("orders", &[], HEARD, move |store, _| {
                Service::new("orders").consume(listen(&store, &ear))
            }),
        ];
        let harness = Harness::start(engine, parts).await;
        Self { harness, book, bank, heard }
    }

    pub(crate) fn orders(&self) -> PaymentsServiceClient<Outgoing> {
        self.client(&self.harness.as_service("orders", Some(CUSTOMER)))
    }

    pub(crate) fn client(&self, context: &Context) -> PaymentsServiceClient<Outgoing> {
        PaymentsServiceClient::new(self.harness.peer("payments").of(context))
    }

    pub(crate) async fn pay(&self, number: i32, token: &str) -> Result<PaymentIntent, Status> {
        self.orders().pay(request(number, token)).await.map(mesh::Response::into_inner)
    }

    pub(crate) async fn cancel(&self) -> Result<PaymentIntent, Status> {
        let request = CancelPaymentRequest { order_id: ORDER.into() };
        self.orders().cancel_payment(request).await.map(mesh::Response::into_inner)
    }

    pub(crate) async fn refund(&self, id: &str, minor: i64) -> Result<Refund, Status> {
        let request = RefundPaymentRequest {
            refund_id: id.into(),
            order_id: ORDER.into(),
            amount: Some(Money::new(minor, "EUR")),
            reason: "it did not fit".into(),
        };
        self.orders().refund_payment(request).await.map(mesh::Response::into_inner)
    }

    pub(crate) async fn complete(&self, id: &str, approve: bool) -> Result<PaymentIntent, Status> {
        let request = CompleteSimulatedActionRequest { id: id.into(), approve };
        let mut client = self.client(&self.harness.as_customer(CUSTOMER));
        client.complete_simulated_action(request).await.map(mesh::Response::into_inner)
    }

    /// The intent as it is now.
    pub(crate) async fn intent(&self, id: &str) -> PaymentIntent {
        let mut client = self.client(&self.harness.as_merchant());
        client.get_payment(GetPaymentRequest { id: id.into() }).await.unwrap().into_inner()
    }

    /// The attempts of an intent as they are now.
    pub(crate) async fn attempts(&self, id: &str) -> Vec<PaymentAttempt> {
        let mut client = self.client(&self.harness.as_merchant());
        let answer = client.list_attempts(ListAttemptsRequest { id: id.into() }).await;
        answer.unwrap().into_inner().attempts
    }

    pub(crate) async fn outcomes(&self, id: &str) -> Vec<Outcome> {
        self.attempts(id).await.iter().map(PaymentAttempt::outcome).collect()
    }

    /// The intent of the order, found by its row: a call may have been cut before it told the id.
    pub(crate) async fn only_intent(&self) -> PaymentIntent {
        let reader = self.harness.store("payments").read(&self.harness.as_merchant());
        let mut all =
            reader.select::<PaymentIntent>("id <> $2").bind("").fetch_all().await.unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// How many rows a table of payments has.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let reader = self.harness.store("payments").read(&self.harness.as_merchant());
        reader.query(sql).fetch_one().await.unwrap().get("rows").unwrap()
    }

    pub(crate) async fn anomalies(&self) -> i64 {
        self.count("SELECT COUNT(*) AS rows FROM payment_anomalies WHERE project = $1").await
    }

    /// Lets time pass, and all that is due happen.
    pub(crate) async fn after(&self, time: Duration) {
        self.harness.clock.advance(time);
        self.harness.settle().await;
    }

    /// What payments told, in its order.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Whether ledger, provider and intent say the same of what is paid.
    pub(crate) async fn agrees(&self, id: &str, provider: &str) {
        let intent = self.intent(id).await;
        let kept = intent.captured_minor - intent.refunded_minor;
        assert!(intent.settled, "{intent:?}");
        assert_eq!(self.book.pending(), 0);
        assert_eq!(self.book.balance(&format!("{provider}:receivable:EUR")), kept);
        assert_eq!(self.book.balance("sales:EUR"), -kept);
        if provider == "bank" {
            let taken = usize::from(intent.captured_minor > 0);
            assert_eq!(self.bank.taken(), taken);
            assert_eq!(self.bank.given_back(), intent.refunded_minor);
        }
    }
}

pub(crate) fn request(number: i32, token: &str) -> PayRequest {
    PayRequest {
        order_id: ORDER.into(),
        customer_id: CUSTOMER.into(),
        amount: Some(Money::new(PRICE, "EUR")),
        attempt: number,
        payment_method: token.into(),
    }
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

fn listen(store: &store::Store, heard: &Arc<Mutex<Vec<String>>>) -> store::Consumer {
    let (payments, refunds) = (Arc::clone(heard), Arc::clone(heard));
    store
        .consumer()
        .on(move |tx, _, event: PaymentChanged| {
            let state = event.intent.map_or(State::Unspecified, |intent| intent.state());
            payments.lock().unwrap().push(state.as_str_name().replace("STATE_", ""));
            async move { Ok(tx) }
        })
        .on(move |tx, _, event: RefundChanged| {
            let state = event.refund.unwrap_or_default().state().as_str_name();
            refunds.lock().unwrap().push(state.replace("STATE", "REFUND"));
            async move { Ok(tx) }
        })
}
