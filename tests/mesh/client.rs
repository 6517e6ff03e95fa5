//! The Rust client against a real mesh: its own example, run as it stands.

use tradewind::orders::v1::order::State;

use crate::sample::shop;

#[path = "../../clients/rust/examples/buy.rs"]
#[expect(dead_code, reason = "an example has a main function of its own")]
mod buy;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_client_buys_something() {
    let world = shop().await;

    let order = buy::buy(&format!("http://{}", world.gateway)).await.unwrap();

    assert_eq!(order.state(), State::Confirmed, "{order:?}");
}
