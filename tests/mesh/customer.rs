//! People who use a shop, by REST.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::http::{Answer, call};

/// How long what follows an answer by itself may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The account of the sample shop's merchant, as commands are given it.
pub(crate) const MERCHANT: [(&str, &str); 2] =
    [("TRADEWIND_EMAIL", "admin@example.com"), ("TRADEWIND_PASSWORD", "let me try this")];

/// Someone with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) gateway: SocketAddr,
    pub(crate) token: String,
}

impl Person {
    /// A customer without an account.
    pub(crate) async fn guest(gateway: SocketAddr) -> Self {
        let answer = call(Method::POST, gateway, "/v1/sessions:guest", &[], "{}").await;
        Self { gateway, token: answer.text("/accessToken") }
    }

    /// The merchant of the sample shop.
    pub(crate) async fn merchant(gateway: SocketAddr) -> Self {
        let body = json!({"email": "admin@example.com", "password": "let me try this"}).to_string();
        let answer = call(Method::POST, gateway, "/v1/sessions", &[], body).await;
        Self { gateway, token: answer.text("/accessToken") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], body).await
    }

    /// The same call however often it is sent with one key.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[("idempotency-key", key)], body).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", authorization.as_str())];
        all.extend_from_slice(headers);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        call(method, self.gateway, path, &all, body).await
    }

    /// Asks until an answer is what is waited for.
    pub(crate) async fn get_until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if is(&answer.json) {
                return answer;
            }
            assert!(Instant::now() < deadline, "still {answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An order of some variants, paid with a token of the simulator.
pub(crate) fn order(lines: &[(&str, i64)], payment_method: &str) -> Value {
    let lines: Vec<_> = lines
        .iter()
        .map(|(variant, quantity)| json!({"variantId": variant, "quantity": quantity}))
        .collect();
    json!({
        "lines": lines,
        "email": "ada@example.com",
        "shippingAddress": {
            "recipient": "Ada", "lines": ["Quay 7"], "city": "Hamburg", "countryCode": "DE"
        },
        "paymentMethod": payment_method,
    })
}
