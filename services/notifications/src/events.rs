//! What customers are told when something happens to their orders.

use contract::mesh::v1::Event;
use mesh::{Context, Status, async_trait};
use prost::Message;
use store::{Consumer, Store, Tx};

use tradewind::money::v1::Money;
use tradewind::notifications::v1::mail::State;
use tradewind::notifications::v1::{Mail, Notification};
use tradewind::orders::v1::{
    Order, OrderCancelled, OrderConfirmed, OrderDelivered, OrderPaymentFailed, OrderRefunded,
    OrderShipped,
};

use crate::bells::Bells;
use crate::delivery::SendMail;
use crate::error::Error;
use crate::news::{Kind, News};
use crate::{letter, store as sql};

/// Everything that happens to an order.
pub(crate) const CONSUMES: [&str; 6] = [
    "tradewind.orders.v1.OrderConfirmed",
    "tradewind.orders.v1.OrderPaymentFailed",
    "tradewind.orders.v1.OrderShipped",
    "tradewind.orders.v1.OrderDelivered",
    "tradewind.orders.v1.OrderCancelled",
    "tradewind.orders.v1.OrderRefunded",
];

/// Where events have their effect, and who is woken by it.
pub(crate) struct Announcer {
    consumer: Consumer,
    bells: Bells,
}

/// The consumer of everything that happens to an order; `sends` says whether there is a mail server.
pub(crate) fn consumer(store: &Store, sends: bool, bells: Bells) -> Announcer {
    let tell = move |kind, tx, order, amount| tell(tx, kind, order, amount, sends);
    let consumer = store
        .consumer()
        .on(move |tx, _: Context, event: OrderConfirmed| {
            tell(Kind::Confirmed, tx, event.order, None)
        })
        .on(move |tx, _: Context, event: OrderPaymentFailed| {
            tell(Kind::PaymentFailed, tx, event.order, None)
        })
        .on(move |tx, _: Context, event: OrderShipped| tell(Kind::Shipped, tx, event.order, None))
        .on(move |tx, _: Context, event: OrderDelivered| {
            tell(Kind::Delivered, tx, event.order, None)
        })
        .on(move |tx, _: Context, event: OrderCancelled| {
            tell(Kind::Cancelled, tx, event.order, None)
        })
        .on(move |tx, _: Context, event: OrderRefunded| {
            tell(Kind::Refunded, tx, event.order, event.amount)
        });
    Announcer { consumer, bells }
}

#[async_trait]
impl mesh::Consumer for Announcer {
    fn types(&self) -> Vec<&'static str> {
        self.consumer.types()
    }

    async fn consume(&self, context: &Context, event: &Event) -> Result<(), Status> {
        self.consumer.consume(context, event).await?;
        // Committed now. Every event of an order has the order first, so any of them reads all.
        let order = OrderConfirmed::decode(event.data.as_slice()).ok().and_then(|it| it.order);
        if let Some(order) = order {
            self.bells.ring(context.caller.project(), &order.customer_id);
        }
        Ok(())
    }
}

/// Writes the mail and the notification of an event.
async fn tell(
    mut tx: Tx,
    kind: Kind,
    order: Option<Order>,
    amount: Option<Money>,
    sends: bool,
) -> Result<Tx, Status> {
    let order = order.ok_or(Error::NoOrder)?;
    let news = News { kind, order, amount };
    let order = &news.order;
    let notification = Notification {
        customer_id: order.customer_id.clone(),
        kind: kind.name().into(),
        reference: order.id.clone(),
        text: news.sentence(),
        sequence: sql::next_place(&mut tx, &order.customer_id).await?,
        ..Notification::default()
    };
    tx.insert(notification).await?;
    if order.email.is_empty() {
        return Ok(tx);
    }
    let mail = tx.insert(mail(&news, sends)?).await?;
    if sends {
        tx.start(SendMail { mail: mail.id })?;
    }
    Ok(tx)
}

/// The mail that tells the news.
fn mail(news: &News, sends: bool) -> Result<Mail, Error> {
    let letter = letter::write(news)?;
    let state = if sends { State::Queued } else { State::Kept };
    Ok(Mail {
        customer_id: news.order.customer_id.clone(),
        recipient: news.order.email.clone(),
        template: news.kind.name().into(),
        reference: news.order.id.clone(),
        subject: letter.subject,
        body: letter.body,
        state: state.into(),
        ..Mail::default()
    })
}
