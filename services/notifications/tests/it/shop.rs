//! A running notifications service, and what happens to its customers' orders.

use contract::mesh::v1::Event;
use harness::{Engine, Harness, part};
use mesh::{Code, Context, Outgoing, Status};
use notifications::Config;
use prost::{Message, Name};
use tonic_types::StatusExt;
use tradewind::money::v1::Money;
use tradewind::notifications::v1::notifications_service_client::NotificationsServiceClient;
use tradewind::notifications::v1::{ListMailsRequest, Mail};
use tradewind::orders::v1::{Address, Order, OrderConfirmed, OrderLine, Shipment};

/// A running service.
pub(crate) struct Shop {
    pub(crate) harness: Harness,
}

impl Shop {
    /// Without a mail server.
    pub(crate) async fn open(engine: Engine) -> Self {
        Self::sending(engine, None).await
    }

    /// With a mail server at a URL.
    pub(crate) async fn sending(engine: Engine, smtp: Option<&str>) -> Self {
        let config = Config::new(smtp, "The Shop <shop@example.com>").unwrap();
        let part = part(
            notifications::NAME,
            notifications::MIGRATIONS,
            notifications::CONSUMES,
            move |store, mesh| notifications::service(config, store, mesh),
        );
        Self { harness: Harness::start(engine, vec![part]).await }
    }

    /// Delivers an event, as the bus of another service does.
    pub(crate) async fn tell<E: Message + Name>(&self, id: &str, event: &E) {
        let event = Event {
            id: id.into(),
            r#type: E::full_name(),
            project: "default".into(),
            key: "ord_1".into(),
            data: event.encode_to_vec(),
            ..Event::default()
        };
        let orders = self.harness.as_service("orders", None);
        self.harness.mesh.bus().deliver(&orders, "notifications", vec![event]).await.unwrap();
    }

    /// Confirms an order.
    pub(crate) async fn confirm(&self, id: &str, order: Order) {
        self.tell(id, &OrderConfirmed { order: Some(order) }).await;
    }

    pub(crate) fn client(&self, of: &Context) -> NotificationsServiceClient<Outgoing> {
        NotificationsServiceClient::new(self.harness.peer("notifications").of(of))
    }

    /// All mails, newest first.
    pub(crate) async fn mails(&self) -> Vec<Mail> {
        let mut client = self.client(&self.harness.as_merchant());
        client.list_mails(ListMailsRequest::default()).await.unwrap().into_inner().mails
    }

    /// The only mail there is.
    pub(crate) async fn mail(&self) -> Mail {
        let mails = self.mails().await;
        assert_eq!(mails.len(), 1, "{mails:?}");
        mails.into_iter().next().unwrap()
    }
}

/// An order of a customer with everything in it.
pub(crate) fn order(customer_id: &str) -> Order {
    let euros = |minor| Some(Money::new(minor, "EUR"));
    let line = |title: &str, options: &[&str], quantity, minor| OrderLine {
        title: title.into(),
        option_values: options.iter().map(|it| (*it).to_owned()).collect(),
        quantity,
        total: euros(minor),
        ..OrderLine::default()
    };
    Order {
        id: "ord_1".into(),
        customer_id: customer_id.into(),
        email: "ada@example.com".into(),
        lines: vec![
            line("Straw hat", &["Small", "Natural"], 2, 5000),
            line("Größe\negal <b>", &[], 1, 5),
        ],
        shipping_address: Some(Address {
            recipient: "Ada Lovelace".into(),
            lines: vec!["12 St James's Square".into()],
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country_code: "GB".into(),
            ..Address::default()
        }),
        goods: euros(5005),
        shipping: euros(490),
        tax: euros(877),
        total: euros(5495),
        tax_inclusive: true,
        refunded: euros(2500),
        shipment: Some(Shipment {
            carrier: "DHL".into(),
            tracking_number: "JD014600003".into(),
            ..Shipment::default()
        }),
        hold_expire_time: Some(mesh::clock::timestamp(harness::BEGINNING + 900_000_000)),
        cancel_reason: "the customer asked for it".into(),
        ..Order::default()
    }
}

/// The code and reason of a refusal.
pub(crate) fn refusal<T>(result: Result<T, Status>) -> (Code, String) {
    let Err(status) = result else { panic!("it was not refused") };
    let reason = status.get_details_error_info().map(|info| info.reason);
    (status.code(), reason.unwrap_or_default())
}
