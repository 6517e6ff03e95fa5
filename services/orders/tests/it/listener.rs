//! A service that consumes what orders tell, and remembers it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use contract::mesh::v1::Event;
use mesh::{Consumer, Context, Status, async_trait};

/// What orders tell.
pub(crate) const CONSUMES: &[&str] = &[
    "tradewind.orders.v1.OrderConfirmed",
    "tradewind.orders.v1.OrderPaymentFailed",
    "tradewind.orders.v1.OrderShipped",
    "tradewind.orders.v1.OrderDelivered",
    "tradewind.orders.v1.OrderCancelled",
    "tradewind.orders.v1.OrderRefunded",
];

/// What was told, by the events' ids. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    heard: Arc<Mutex<Vec<Event>>>,
}

impl Listener {
    /// What was told of an order, such as `OrderConfirmed`, in its order.
    pub(crate) fn heard(&self, order_id: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let of_order = heard.iter().filter(|event| event.key == order_id);
        let name = |event: &Event| event.r#type.rsplit('.').next().unwrap().to_owned();
        of_order.map(name).collect()
    }

    /// How often each kind was told of an order.
    pub(crate) fn counts(&self, order_id: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for name in self.heard(order_id) {
            *counts.entry(name).or_default() += 1;
        }
        counts
    }
}

#[async_trait]
impl Consumer for Listener {
    fn types(&self) -> Vec<&'static str> {
        CONSUMES.to_vec()
    }

    async fn consume(&self, _: &Context, event: &Event) -> Result<(), Status> {
        let mut heard = self.heard.lock().unwrap();
        if heard.iter().all(|known| known.id != event.id) {
            heard.push(event.clone());
        }
        Ok(())
    }
}
