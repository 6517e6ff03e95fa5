//! The auditor on a whole mesh: it finds nothing where nothing is wrong, and names whatever is put wrong
//! in a database behind the services' backs.

use std::time::Duration;

use auditor::{Check, Options, Report};
use harness::{Engine, Harness};
use mesh::{Channel, Context, Request};
use tower::util::BoxCloneSyncService;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::product::Status;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::catalog::v1::{CreateProductRequest, Product, SetStockRequest, Variant};
use tradewind::money::v1::Money;
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::{
    Address, CancelOrderRequest, LineRequest, Order, PayOrderRequest, PlaceOrderRequest,
    RefundOrderRequest, ShipOrderRequest, Shipment,
};

use crate::parts::parts;

/// A mesh in which orders of every kind were placed.
struct Shop {
    harness: Harness,
    variant: String,
    /// Declined first, then paid.
    paid: Order,
}

impl Shop {
    async fn open(engine: Engine) -> Self {
        let harness = Harness::start(engine, parts()).await;
        let variant = sell(&harness).await;
        let declined = place(&harness, &variant, "declined", "sim_declined").await;
        let request = PayOrderRequest { id: declined.id, payment_method: "sim_ok".into() };
        let mut orders = orders(&harness, &harness.as_guest("gst_1"));
        let paid = orders.pay_order(keyed("again", request)).await.unwrap().into_inner();
        Self { harness, variant, paid }
    }

    /// Orders that were shipped, refunded, cancelled and left unpaid, besides the paid one.
    async fn busy(&self) {
        let Self { harness, variant, .. } = self;
        let mut merchant = orders(harness, &harness.as_merchant());
        let shipped = place(harness, variant, "shipped", "sim_ok").await;
        let shipment =
            Shipment { carrier: "DHL".into(), tracking_number: "1".into(), ..Shipment::default() };
        let request = ShipOrderRequest { id: shipped.id.clone(), shipment: Some(shipment) };
        merchant.ship_order(request).await.unwrap();
        let refund = |amount: Option<Money>| RefundOrderRequest {
            id: shipped.id.clone(),
            amount,
            reason: "late".into(),
        };
        let some = refund(Some(Money::new(500, "EUR")));
        merchant.refund_order(keyed("some", some)).await.unwrap();
        merchant.refund_order(keyed("the-rest", refund(None))).await.unwrap();
        for (key, method) in [("cancelled", "sim_ok"), ("given-up", "sim_requires_action")] {
            let order = place(harness, variant, key, method).await;
            let request = CancelOrderRequest { id: order.id, reason: "no".into() };
            merchant.cancel_order(request).await.unwrap();
        }
        place(harness, variant, "unpaid", "sim_declined").await;
    }

    async fn audit(&self) -> Report {
        self.audit_of(Options::default().stuck_after).await
    }

    /// The same, where what takes longer than this is stuck.
    async fn audit_of(&self, stuck_after: Duration) -> Report {
        self.harness.settle().await;
        // The ledger's times run ahead of a clock that stands.
        self.harness.clock.advance(Duration::from_secs(1));
        let context = self.harness.as_user("usr_1", &["admin"], mesh::caller::DEFAULT_PROJECT);
        let channel = |service| -> Channel {
            BoxCloneSyncService::new(self.harness.peer(service).of(&context))
        };
        let clock = self.harness.clock.clone();
        // Nothing is given time: whatever is wrong, is.
        let options = Options { settling: Duration::ZERO, stuck_after, clock };
        auditor::audit(channel, &options).await.unwrap()
    }

    /// Writes to a service's database behind its back.
    async fn write(&self, service: &str, sql: &str) {
        let context = self.harness.as_service("test", None);
        let mut tx = self.harness.store(service).begin_for(&context).await.unwrap();
        let changed = tx.unscoped(sql.to_owned()).execute().await.unwrap();
        assert!(changed > 0, "it changes nothing: {sql}");
        tx.commit().await.unwrap();
    }
}

fn orders(harness: &Harness, context: &Context) -> OrdersServiceClient<mesh::Outgoing> {
    OrdersServiceClient::new(harness.peer("orders").of(context))
}

fn keyed<M>(key: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(mesh::IDEMPOTENCY_KEY, key.parse().unwrap());
    request
}

/// Makes a product of one variant with stock; answers the variant.
async fn sell(harness: &Harness) -> String {
    let peer = || harness.peer("catalog").of(&harness.as_merchant());
    let price = Some(Money::new(2500, "EUR"));
    let mut product = Product {
        handle: "audited".into(),
        title: "Audited".into(),
        variants: vec![Variant { price, taxable: true, ..Variant::default() }],
        ..Product::default()
    };
    product.set_status(Status::Active);
    let request = CreateProductRequest { product: Some(product) };
    let made = CatalogServiceClient::new(peer()).create_product(request).await.unwrap();
    let variant_id = made.into_inner().variants[0].id.clone();
    let request = SetStockRequest { variant_id: variant_id.clone(), on_hand: 100 };
    StockServiceClient::new(peer()).set_stock(request).await.unwrap();
    variant_id
}

async fn place(harness: &Harness, variant: &str, key: &str, method: &str) -> Order {
    let request = PlaceOrderRequest {
        lines: vec![LineRequest { variant_id: variant.to_owned(), quantity: 2 }],
        email: "ada@example.com".into(),
        shipping_address: Some(Address {
            recipient: "Ada".into(),
            lines: vec!["Quay 7".into()],
            city: "Hamburg".into(),
            country_code: "DE".into(),
            ..Address::default()
        }),
        payment_method: method.into(),
    };
    let mut orders = orders(harness, &harness.as_guest("gst_1"));
    let placed = orders.place_order(keyed(key, request)).await.unwrap();
    placed.into_inner().order.unwrap()
}

/// Later than anything in a test.
const NEVER: i64 = 9_000_000_000_000_000;

/// Something put wrong: where, how, how it is put right again, and what must be found.
struct Flaw {
    service: &'static str,
    wrong: String,
    right: String,
    found: &'static [Check],
}

fn flaw(service: &'static str, wrong: String, right: String, found: &'static [Check]) -> Flaw {
    Flaw { service, wrong, right, found }
}

fn money(order: &str, intent: &str) -> Vec<Flaw> {
    let set = |table: &str, set: &str, of: &str| format!("UPDATE {table} SET {set} WHERE {of}");
    let the_order = format!("id = '{order}'");
    let the_intent = format!("id = '{intent}'");
    let posted = format!("reference = '{order}' AND kind = 'POST_PENDING'");
    let second = format!("intent_id = '{intent}' AND number = 2");
    let first = format!("intent_id = '{intent}' AND number = 1");
    let charge = "amount_minor > 0 AND state";
    vec![
        flaw(
            "orders",
            set("orders", "refunded_minor = 100", &the_order),
            set("orders", "refunded_minor = 0", &the_order),
            &[Check::Amounts, Check::Sums],
        ),
        flaw(
            "ledger",
            set("transfers", "amount = amount - 1", &posted),
            set("transfers", "amount = amount + 1", &posted),
            &[Check::Ledger, Check::Book, Check::Sums],
        ),
        flaw(
            "ledger",
            set("accounts", "debits_posted = debits_posted + 1", "id = 'sales:EUR'"),
            set("accounts", "debits_posted = debits_posted - 1", "id = 'sales:EUR'"),
            &[Check::Book, Check::Sums],
        ),
        flaw(
            "ledger",
            set("transfers", "reference = 'other'", &posted),
            set("transfers", &format!("reference = '{order}'"), "reference = 'other'"),
            &[Check::Ledger, Check::Sums],
        ),
        flaw(
            "payments",
            set("payment_attempts", "outcome = 'SUCCESS'", &first),
            set("payment_attempts", "outcome = 'DECLINED'", &first),
            &[Check::Amounts, Check::Ledger, Check::PaidOnce, Check::Provider],
        ),
        flaw(
            "payments",
            set("payment_attempts", "outcome = 'UNKNOWN'", &second),
            set("payment_attempts", "outcome = 'SUCCESS'", &second),
            &[Check::Amounts, Check::Ledger, Check::UnderWay],
        ),
        flaw(
            "payments",
            set("simulator_charges", "state = 'VOIDED'", &format!("{charge} = 'TAKEN'")),
            set("simulator_charges", "state = 'TAKEN'", &format!("{charge} = 'VOIDED'")),
            &[Check::Provider],
        ),
        flaw(
            "payments",
            "INSERT INTO simulator_charges (project, id, reference, amount_minor, amount_currency, \
             state, decline_code, action_url, silences, create_time) \
             VALUES ('default', 'pat_lost', 'simch_1', 900, 'EUR', 'TAKEN', '', '', 0, 1)"
                .into(),
            "DELETE FROM simulator_charges WHERE id = 'pat_lost'".into(),
            &[Check::Provider],
        ),
        flaw(
            "payments",
            set("payment_intents", "state = 'REVIEW'", &the_intent),
            set("payment_intents", "state = 'SUCCEEDED'", &the_intent),
            &[Check::Review],
        ),
    ]
}

fn goods_and_words(order: &str) -> Vec<Flaw> {
    let set = |table: &str, set: &str, of: &str| format!("UPDATE {table} SET {set} WHERE {of}");
    let the_order = format!("id = '{order}'");
    let movement = format!("order_id = '{order}' AND kind = 'COMMITTED'");
    let mail = |template| format!("reference = '{order}' AND template = '{template}'");
    let paid = format!("order_id = '{order}' AND note");
    vec![
        flaw(
            "catalog",
            set("reservations", "state = 'RELEASED'", &the_order),
            set("reservations", "state = 'COMMITTED'", &the_order),
            &[Check::Stock],
        ),
        flaw(
            "catalog",
            set("stock_movements", "on_hand_delta = on_hand_delta + 1", &movement),
            set("stock_movements", "on_hand_delta = on_hand_delta - 1", &movement),
            &[Check::Stock, Check::Shelf],
        ),
        flaw(
            "catalog",
            "UPDATE stock_levels SET on_hand = on_hand + 1".into(),
            "UPDATE stock_levels SET on_hand = on_hand - 1".into(),
            &[Check::Shelf],
        ),
        flaw(
            "notifications",
            set("mails", "template = 'none'", &mail("order_confirmed")),
            set("mails", "template = 'order_confirmed'", &mail("none")),
            &[Check::Told],
        ),
        flaw(
            "orders",
            set("order_events", "note = 'none'", &format!("{paid} = 'paid'")),
            set("order_events", "note = 'paid'", &format!("{paid} = 'none'")),
            &[Check::Told],
        ),
        flaw(
            "orders",
            set("orders", "state = 'CANCELLING', update_time = 1", &the_order),
            set("orders", "state = 'CONFIRMED'", &the_order),
            &[Check::UnderWay, Check::Stuck],
        ),
        flaw(
            "orders",
            format!(
                "INSERT INTO store_tasks (id, kind, project, subject, payload, due_time, attempts, \
                 token, dead, error, traceparent, create_time) VALUES ('tsk_dead', 'commit_stock', \
                 'default', '', '{{\"order_id\": \"{order}\"}}', 1, 20, 1, 1, 'no', '', 1)"
            ),
            "DELETE FROM store_tasks WHERE id = 'tsk_dead'".into(),
            &[Check::Stuck],
        ),
        flaw(
            "orders",
            format!(
                "INSERT INTO store_outbox (consumer, id, project, type, key, subject, data, \
                 traceparent, create_time, due_time, attempts, error) VALUES ('notifications', \
                 'evt_late', 'default', 'Late', '{order}', '', '', '', 1, {NEVER}, 3, 'no')"
            ),
            "DELETE FROM store_outbox WHERE id = 'evt_late'".into(),
            &[Check::Stuck],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_put_wrong_in_a_database_is_named() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let order = shop.paid.id.clone();
        let intent = shop.paid.payment.clone().unwrap().intent_id;
        assert!(shop.audit().await.is_settled(), "{engine:?}: {:?}", shop.audit().await.findings);

        for flaw in money(&order, &intent).into_iter().chain(goods_and_words(&order)) {
            shop.write(flaw.service, &flaw.wrong).await;
            let report = shop.audit().await;
            shop.write(flaw.service, &flaw.right).await;

            let mut found: Vec<_> = report.disagreements().map(|it| it.check).collect();
            found.sort_unstable();
            found.dedup();
            let told = format!("{engine:?} {}: {:?}", flaw.wrong, report.findings);
            let mut expected = flaw.found.to_vec();
            expected.sort_unstable();
            assert_eq!(found, expected, "{told}");
            let said = |finding: &auditor::Finding| {
                !finding.id.is_empty() && !finding.sides.is_empty() && !finding.advice.is_empty()
            };
            assert!(report.disagreements().all(said), "{told}");
            let healed = shop.audit().await;
            assert!(healed.is_settled(), "{engine:?} after {}: {healed:?}", flaw.right);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_every_kind_agree_once_they_have_settled() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        shop.busy().await;

        // Nothing is allowed any time: what was delivered or done is not taken for what waits.
        let report = shop.audit_of(Duration::ZERO).await;

        assert!(report.is_settled(), "{engine:?}: {report:?}");
        assert_eq!(report.orders, 5, "{engine:?}");
        assert!(report.silent_providers.is_empty(), "{engine:?}");
    }
}
