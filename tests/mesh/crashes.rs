//! A process killed between any two steps of a checkout, started again: nothing is lost, nothing is done twice.

use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::json;
use store_testing::Engine;
use tokio::process::Command;

use crate::customer::{Person, order};
use crate::http::try_call;
use crate::sample::product;
use crate::world::{Shape, World};

/// Every point of every process, as the binary itself lists them.
async fn points() -> Vec<String> {
    let listed =
        Command::new(env!("CARGO_BIN_EXE_tradewind")).arg("points").output().await.unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Whether placing an order passes a point.
fn is_passed_by_checkout(point: &str) -> bool {
    point.starts_with("checkout/") || point.starts_with("pay/")
}

async fn file_appears_within(file: &Path, patience: Duration) -> bool {
    let polled = async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(patience, polled).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_killed_at_any_point_is_finished_after_a_restart() {
    let points: Vec<_> =
        points().await.into_iter().filter(|point| is_passed_by_checkout(point)).collect();
    assert!(points.len() >= 4, "{points:?}");
    let faults = tempfile::tempdir().unwrap();
    let file = faults.path().join("faults");
    std::fs::write(&file, "").unwrap();
    let named = file.display().to_string();
    let with_faults = ["--development", "--faults", &named];
    let mut world = World::start_with(Shape::Near, Engine::Sqlite, &with_faults).await;
    let merchant = Person::merchant(world.gateway).await;
    let variant = product(&merchant, "crash", 1000).await;
    let guest = Person::guest(world.gateway).await;

    let mut left = 1000;
    for point in points {
        std::fs::write(&file, &point).unwrap();
        let body = order(&[(&variant, 1)], "sim_ok");
        let sent = tokio::spawn({
            let (gateway, key, body) = (world.gateway, point.clone(), body.to_string());
            let authorization = format!("Bearer {}", guest.token);
            async move {
                let headers = [("authorization", &*authorization), ("idempotency-key", &*key)];
                try_call(Method::POST, gateway, "/v1/orders", &headers, body).await
            }
        });
        let reached = file.with_extension("reached");
        assert!(
            file_appears_within(&reached, Duration::from_secs(30)).await,
            "{point} is not reached"
        );
        world.kill("orders").await;
        assert!(sent.await.unwrap().is_err(), "{point}: a killed process has answered");
        std::fs::write(&file, "").unwrap();
        std::fs::remove_file(&reached).unwrap();
        world.restart("orders").await;

        // The repeat is answered by whoever finishes the checkout: this call, or the task.
        let answer = finished(&guest, &point, body).await;
        assert_eq!(answer.text("/order/state"), "STATE_CONFIRMED", "{point}: {answer:?}");
        left -= 1;
        let stock = format!("/v1/stock/{variant}");
        let expected = json!(left.to_string());
        merchant.get_until(&stock, |it| it["onHand"] == expected && it["reserved"] == "0").await;
        let intent = answer.text("/order/payment/intentId");
        let payment = format!("/v1/payments/{intent}");
        let payment = merchant.get_until(&payment, |it| it["settled"] == true).await;
        assert_eq!(payment.text("/capturedMinor"), answer.text("/order/total/minor"), "{point}");
        let orders = guest.get("/v1/orders?pageSize=1000").await;
        let count = orders.json["orders"].as_array().map(Vec::len);
        assert_eq!(count, usize::try_from(1000 - left).ok(), "{point}");
    }
    let book = merchant.get("/v1/ledger:verify").await;
    assert_eq!(book.json["problems"], json!([]));
}

/// Sends a call again until it is answered, as a client does that lost the answer.
async fn finished(guest: &Person, key: &str, body: serde_json::Value) -> crate::http::Answer {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    loop {
        let answer = guest.post_once("/v1/orders", key, body.clone()).await;
        if answer.status == 200 {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{key}: {answer:?}");
    }
}
