//! What is under way when a process is killed, and how it must have ended.

use serde_json::{Value, json};

use crate::customer::{Person, order};
use crate::http::{Answer, try_call};

/// What somebody is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Journey {
    /// An order that is paid at once.
    Buys,
    /// An order whose payment is refused.
    IsDeclined,
    /// Another attempt for such an order.
    PaysAgain,
    /// An order of what is not there.
    FindsNoStock,
    /// An order that nobody takes the money for.
    FindsNoProvider,
    /// A paid order that is given up.
    Cancels,
    /// A part of a paid order that is given back.
    Refunds,
}

/// Someone in a shop that sells one thing, and has nothing left of another.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) merchant: Person,
    pub(super) variant: String,
    pub(super) sold_out: String,
}

/// A call that is sent as often as it takes to be answered.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) guest: Person,
    sender: Person,
    path: String,
    key: Option<String>,
    body: Value,
}

impl Journey {
    pub(super) const ALL: [Self; 7] = [
        Self::Buys,
        Self::IsDeclined,
        Self::PaysAgain,
        Self::FindsNoStock,
        Self::FindsNoProvider,
        Self::Cancels,
        Self::Refunds,
    ];

    /// Whether it may pass a point. A point that no journey may pass fails the test.
    pub(super) fn may_pass(self, point: &str) -> bool {
        let (process, step) = point.split_once('/').unwrap();
        let undoes = step.starts_with("undo_");
        match self {
            Self::Buys | Self::IsDeclined => {
                matches!(process, "checkout" | "pay" | "settle") && !undoes
            }
            Self::PaysAgain => matches!(process, "checkout" | "pay") && !undoes,
            Self::FindsNoStock | Self::FindsNoProvider => process == "checkout",
            Self::Cancels => matches!(process, "cancelling" | "repay"),
            Self::Refunds => matches!(process, "refunding" | "repay" | "settle"),
        }
    }

    /// Makes everything ready for the call that is cut off.
    pub(super) async fn prepare(self, shop: &Shop, name: &str) -> Call {
        let guest = Person::guest(shop.merchant.gateway).await;
        let placed = |method: &'static str| {
            let (guest, variant) = (guest.clone(), shop.variant.clone());
            async move {
                let body = order(&[(&variant, 1)], method);
                let placed = guest.post_once("/v1/orders", "before", body).await;
                // Nothing of it is left to be done when the process is killed.
                let intent = placed.text("/order/payment/intentId");
                shop.merchant
                    .get_until(&format!("/v1/payments/{intent}"), |it| it["settled"] == true)
                    .await;
                placed.text("/order/id")
            }
        };
        let buying =
            |variant: &str, method| ("/v1/orders".to_owned(), order(&[(variant, 1)], method));
        let (path, body) = match self {
            Self::Buys => buying(&shop.variant, "sim_ok"),
            Self::IsDeclined => buying(&shop.variant, "sim_declined"),
            Self::FindsNoStock => buying(&shop.sold_out, "sim_ok"),
            Self::FindsNoProvider => buying(&shop.variant, "nobody_takes_this"),
            Self::PaysAgain => {
                let id = placed("sim_declined").await;
                (format!("/v1/orders/{id}:pay"), json!({"paymentMethod": "sim_ok"}))
            }
            Self::Cancels => {
                let id = placed("sim_ok").await;
                (format!("/v1/orders/{id}:cancel"), json!({"reason": "late"}))
            }
            Self::Refunds => {
                let id = placed("sim_ok").await;
                let amount = json!({"currencyCode": "EUR", "minor": "1000"});
                (format!("/v1/orders/{id}:refund"), json!({"amount": amount, "reason": "torn"}))
            }
        };
        let key = (self != Self::Cancels).then(|| name.to_owned());
        let sender = if self == Self::Refunds { shop.merchant.clone() } else { guest.clone() };
        Call { guest, sender, path, key, body }
    }

    /// Whether an answer is the one that the call must get in the end.
    fn ends_with(self, answer: &Answer) -> bool {
        match self {
            Self::FindsNoStock => answer.reason() == "OUT_OF_STOCK",
            // Where it was killed while it was taken back, the reason is gone.
            Self::FindsNoProvider => {
                matches!(answer.reason(), "NO_PROVIDER" | "ORDER_NOT_PLACED")
            }
            // A repeat is told that it is on its way.
            Self::Cancels => answer.json["state"] == "STATE_CANCELLED",
            Self::Buys | Self::IsDeclined | Self::PaysAgain | Self::Refunds => answer.status == 200,
        }
    }

    /// Sends the call until it is answered, and holds what must be true then.
    pub(super) async fn ends_well(self, shop: &Shop, call: &Call, point: &str) {
        let answer = call.until_answered(|answer| self.ends_with(answer)).await;
        let named = format!("{self:?} at {point}: {answer:?}");
        let orders = call.guest.get("/v1/orders").await;
        let orders = orders.json["orders"].as_array().cloned().unwrap_or_default();
        let (state, paid, kept, attempts) = match self {
            Self::FindsNoStock | Self::FindsNoProvider => {
                assert!(orders.is_empty(), "{named}: {orders:?}");
                return;
            }
            Self::Buys | Self::Refunds => ("CONFIRMED", "PAID", true, 1),
            Self::PaysAgain => ("CONFIRMED", "PAID", true, 2),
            Self::IsDeclined => ("PENDING_PAYMENT", "DECLINED", false, 1),
            Self::Cancels => ("CANCELLED", "REFUNDED", false, 1),
        };
        assert_eq!(orders.len(), 1, "{named}");
        let order = &orders[0];
        assert_eq!(order["state"], format!("STATE_{state}"), "{named}");
        assert_eq!(order["payment"]["state"], format!("STATE_{paid}"), "{named}");
        let intent = order["payment"]["intentId"].as_str().unwrap();
        let payment = format!("/v1/payments/{intent}");
        let payment = shop.merchant.get_until(&payment, |it| it["settled"] == true).await.json;
        let minor = |value: &Value| value.as_str().unwrap_or("0").parse::<i64>().unwrap();
        let given_back = if self == Self::Refunds { 1000 } else { 0 };
        let expected = if kept { minor(&order["total"]["minor"]) - given_back } else { 0 };
        let left = minor(&payment["capturedMinor"]) - minor(&payment["refundedMinor"]);
        assert_eq!(left, expected, "{named}: {payment}");
        let tried = shop.merchant.get(&format!("/v1/payments/{intent}/attempts")).await;
        let tried = tried.json["attempts"].as_array().map(Vec::len);
        assert_eq!(tried, Some(attempts), "{named}");
    }

    /// What it leaves of the thing that is sold: how many have left, and how many are held.
    pub(super) fn takes(self) -> (i64, i64) {
        match self {
            Self::Buys | Self::PaysAgain | Self::Refunds => (1, 0),
            Self::IsDeclined => (0, 1),
            Self::FindsNoStock | Self::FindsNoProvider | Self::Cancels => (0, 0),
        }
    }
}

impl Call {
    /// Sends it once, to a process that may be killed meanwhile.
    pub(super) async fn send(self) -> Option<Answer> {
        let authorization = format!("Bearer {}", self.sender.token);
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(self.key.as_deref().map(|key| ("idempotency-key", key)));
        let at = self.sender.gateway;
        try_call(http::Method::POST, at, &self.path, &headers, self.body.to_string()).await.ok()
    }

    /// Sends it again until it is answered, as a client does that lost the answer.
    async fn until_answered(&self, is: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(45);
        loop {
            let answer = self.clone().send().await;
            match answer {
                Some(answer) if is(&answer) => return answer,
                answer => assert!(
                    tokio::time::Instant::now() < deadline,
                    "{} {:?}: {answer:?}",
                    self.path,
                    self.key
                ),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}
