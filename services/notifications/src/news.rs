//! What happened to an order, as its customer is told.

use tradewind::money::v1::Money;
use tradewind::orders::v1::{Order, Shipment};

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Confirmed,
    PaymentFailed,
    Shipped,
    Delivered,
    Cancelled,
    Refunded,
}

/// Something that happened to an order.
#[derive(Debug, Clone)]
pub(crate) struct News {
    pub(crate) kind: Kind,
    /// The order then.
    pub(crate) order: Order,
    /// How much of it was given back, where that is what happened.
    pub(crate) amount: Option<Money>,
}

impl Kind {
    /// What it is called in mails, notifications and templates.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "order_confirmed",
            Self::PaymentFailed => "order_payment_failed",
            Self::Shipped => "order_shipped",
            Self::Delivered => "order_delivered",
            Self::Cancelled => "order_cancelled",
            Self::Refunded => "order_refunded",
        }
    }
}

impl News {
    /// One sentence of it.
    pub(crate) fn sentence(&self) -> String {
        let id = &self.order.id;
        match self.kind {
            Kind::Confirmed => format!("Order {id} is confirmed."),
            Kind::PaymentFailed => format!("The payment of order {id} was refused."),
            Kind::Shipped => match &self.order.shipment {
                Some(Shipment { carrier, tracking_number, .. }) => {
                    format!("Order {id} is on its way with {carrier}: {tracking_number}.")
                }
                None => format!("Order {id} is on its way."),
            },
            Kind::Delivered => format!("Order {id} has arrived."),
            Kind::Cancelled => format!("Order {id} is cancelled."),
            Kind::Refunded => match &self.amount {
                Some(amount) => {
                    format!("{} of order {id} have been given back.", amount.display())
                }
                None => format!("Order {id} has been refunded."),
            },
        }
    }
}
