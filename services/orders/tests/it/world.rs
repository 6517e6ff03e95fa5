//! Orders in a mesh of small neighbours, and what a test does there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::mesh::v1::Event;
use harness::{Engine, Harness, part};
use mesh::caller::DEFAULT_PROJECT;
use mesh::{Code, Context, Faults, Outgoing, Request, Service, Status};
use prost::Message;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tonic_types::StatusExt;
use tradewind::cart::v1::cart_service_server::CartServiceServer;
use tradewind::catalog::v1::catalog_service_server::CatalogServiceServer;
use tradewind::catalog::v1::stock_service_server::StockServiceServer;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::{
    Address, CancelOrderRequest, GetOrderRequest, LineRequest, ListOrderHistoryRequest,
    ListOrdersRequest, Order, PayOrderRequest, PlaceOrderRequest, PlaceOrderResponse,
    RefundOrderRequest, payment,
};
use tradewind::payments::v1::payments_service_server::PaymentsServiceServer;
use tradewind::payments::v1::{PaymentChanged, PaymentIntent};
use tradewind::users::v1::users_service_server::UsersServiceServer;

use crate::customers::Customers;
use crate::listener::{self, Listener};
use crate::stock::Catalog;
use crate::till::Till;

/// Longer than the lease of whoever drives a process.
pub(crate) const PAST_LEASE: Duration = Duration::from_secs(11);
/// Longer than anything in a test may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What every test buys: two of a variant that costs 10.00, and shipping for 4.90, with 19 % tax.
pub(crate) const TOTAL: i64 = 2_963;

/// Orders, running among neighbours.
pub(crate) struct World {
    pub(crate) harness: Harness,
    pub(crate) catalog: Catalog,
    pub(crate) till: Till,
    pub(crate) customers: Customers,
    pub(crate) listener: Listener,
    directory: TempDir,
}

impl World {
    /// Ten of `var_shirt`, which costs 10.00 and is taxed.
    pub(crate) async fn open(engine: Engine) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let faults = Faults::of_file(directory.path().join("faults"));
        let (catalog, till, customers, listener) =
            (Catalog::default(), Till::default(), Customers::default(), Listener::default());
        catalog.sell("var_shirt", 1_000, true, 10);
        let (shelves, drawer, people, ears) =
            (catalog.clone(), till.clone(), customers.clone(), listener.clone());
        let (watching, also_people) = (till.orders.clone(), customers.clone());
        let parts = vec![
            part("catalog", &[], &[], move |_, _| {
                Service::new("catalog")
                    .answer(CatalogServiceServer::new(shelves.clone()))
                    .answer(StockServiceServer::new(shelves))
            }),
            part("payments", &[], &[], move |_, _| {
                Service::new("payments").answer(PaymentsServiceServer::new(drawer))
            }),
            part("cart", &[], &[], move |_, _| {
                Service::new("cart").answer(CartServiceServer::new(people))
            }),
            part("users", &[], &[], move |_, _| {
                Service::new("users").answer(UsersServiceServer::new(also_people))
            }),
            part("notifications", &[], listener::CONSUMES, move |_, _| {
                Service::new("notifications").consume(ears)
            }),
            part(orders::NAME, orders::MIGRATIONS, orders::CONSUMES, move |store, mesh| {
                let _ = watching.set(store.clone());
                orders::service(store, mesh, faults)
            }),
        ];
        let harness = Harness::start(engine, parts).await;
        Self { harness, catalog, till, customers, listener, directory }
    }

    pub(crate) fn customer(&self) -> Context {
        self.harness.as_customer("usr_1")
    }

    pub(crate) fn merchant(&self) -> Context {
        self.harness.as_merchant()
    }

    pub(crate) fn client(&self, of: &Context) -> OrdersServiceClient<Outgoing> {
        OrdersServiceClient::new(self.harness.peer("orders").of(of))
    }

    /// Places an order of two shirts under a key.
    pub(crate) async fn place(
        &self,
        key: &str,
        method: &str,
    ) -> Result<PlaceOrderResponse, Status> {
        let request = keyed(key, shirts(2, method));
        Ok(self.client(&self.customer()).place_order(request).await?.into_inner())
    }

    /// An order of two shirts, paid with a method, once all that follows is done.
    pub(crate) async fn placed(&self, method: &str) -> Order {
        let order = self.place("first", method).await.unwrap().order.unwrap();
        self.settle().await;
        order
    }

    pub(crate) async fn pay(&self, id: &str, key: &str, method: &str) -> Result<Order, Status> {
        let request = PayOrderRequest { id: id.into(), payment_method: method.into() };
        Ok(self.client(&self.customer()).pay_order(keyed(key, request)).await?.into_inner())
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<Order, Status> {
        let request = CancelOrderRequest { id: id.into(), reason: "changed my mind".into() };
        Ok(self.client(&self.customer()).cancel_order(request).await?.into_inner())
    }

    /// Gives back an amount in euro cents; all that is left when none is said.
    pub(crate) async fn refund(
        &self,
        id: &str,
        key: &str,
        minor: Option<i64>,
    ) -> Result<Order, Status> {
        let amount = minor.map(|minor| tradewind::money::v1::Money::new(minor, "EUR"));
        let request = RefundOrderRequest { id: id.into(), amount, reason: "torn".into() };
        Ok(self.client(&self.merchant()).refund_order(keyed(key, request)).await?.into_inner())
    }

    pub(crate) async fn get(&self, id: &str) -> Order {
        let request = GetOrderRequest { id: id.into() };
        self.client(&self.merchant()).get_order(request).await.unwrap().into_inner()
    }

    /// All orders that there are.
    pub(crate) async fn all(&self) -> Vec<Order> {
        let mut client = self.client(&self.merchant());
        client.list_orders(ListOrdersRequest::default()).await.unwrap().into_inner().orders
    }

    /// The states and notes of an order's history.
    pub(crate) async fn history(&self, id: &str) -> Vec<(State, String)> {
        let request = ListOrderHistoryRequest { id: id.into() };
        let answer = self.client(&self.merchant()).list_order_history(request).await.unwrap();
        let events = answer.into_inner().events.into_iter();
        events.map(|event| (event.state(), event.note)).collect()
    }

    /// Hands a payment's change to orders, as the same event twice and as another with the same words.
    pub(crate) async fn tell_twice(&self, intent: PaymentIntent) {
        let data = PaymentChanged { intent: Some(intent.clone()) }.encode_to_vec();
        let event = |id: String| Event {
            id,
            r#type: orders::CONSUMES[0].into(),
            project: DEFAULT_PROJECT.into(),
            key: intent.order_id.clone(),
            data: data.clone(),
            ..Event::default()
        };
        let next = || self.harness.store("orders").ids().next("evt");
        let (one, other) = (event(next()), event(next()));
        let context = self.harness.as_service("payments", None);
        let bus = self.harness.mesh.bus();
        bus.deliver(&context, "orders", vec![one.clone(), one, other]).await.unwrap();
        self.settle().await;
    }

    /// Waits until nothing is left to do at once; of all here, only orders does things later.
    pub(crate) async fn settle(&self) {
        self.harness.store("orders").idle().await.unwrap();
    }

    /// Lets time pass, and what becomes due is done.
    pub(crate) async fn after(&self, time: Duration) {
        self.harness.clock.advance(time);
        self.settle().await;
    }

    /// Makes a process stand still at a point while a call runs, kills it there, and lets its task resume.
    pub(crate) async fn crash_at<T: Send + 'static>(
        &self,
        point: &str,
        call: impl Future<Output = T> + Send + 'static,
    ) {
        let (file, reached) = (self.fault_file(), self.directory.path().join("faults.reached"));
        std::fs::write(&file, point).unwrap();
        let call = tokio::spawn(call);
        timeout(PATIENCE, wait_for(&reached)).await.expect(point);
        call.abort();
        let _ = call.await;
        std::fs::remove_file(&reached).unwrap();
        std::fs::remove_file(&file).unwrap();
    }

    fn fault_file(&self) -> PathBuf {
        self.directory.path().join("faults")
    }
}

/// Looks again and again until there is a file.
async fn wait_for(file: &Path) {
    while !file.exists() {
        sleep(Duration::from_millis(2)).await;
    }
}

/// An order of shirts.
pub(crate) fn shirts(quantity: i64, method: &str) -> PlaceOrderRequest {
    PlaceOrderRequest {
        lines: vec![LineRequest { variant_id: "var_shirt".into(), quantity }],
        shipping_address: Some(Address {
            recipient: "Ada".into(),
            lines: vec!["Main Street 1".into()],
            city: "Berlin".into(),
            country_code: "DE".into(),
            ..Address::default()
        }),
        payment_method: method.into(),
        ..PlaceOrderRequest::default()
    }
}

/// A request under an idempotency key.
pub(crate) fn keyed<M>(key: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(mesh::IDEMPOTENCY_KEY, key.parse().unwrap());
    request
}

/// How an order and its payment stand.
pub(crate) fn stands(order: &Order) -> (State, payment::State) {
    (order.state(), order.payment.as_ref().unwrap().state())
}

/// An amount in minor units.
pub(crate) fn minor(money: Option<&tradewind::money::v1::Money>) -> i64 {
    money.unwrap().minor
}

/// The code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    let reason = status.get_details_error_info().map(|info| info.reason);
    (status.code(), reason.unwrap_or_default())
}
