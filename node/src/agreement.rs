//! Whether the services agree on an order that was paid.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use auditor::{Check, Finding, Options};
use tradewind::cart::v1::GetCartRequest;
use tradewind::notifications::v1::ListMailsRequest;
use tradewind::orders::v1::{GetOrderRequest, Order, order};

use tradewind_client::Client;

use crate::audit::audit;
use crate::connect::said;
use crate::demo::on_hand;

/// What must be true in the end.
pub(crate) struct Expected {
    pub(crate) order: Order,
    pub(crate) variant_id: String,
    pub(crate) on_hand: i64,
}

/// Waits until everything agrees, or says what does not.
pub(crate) async fn within(
    patience: Duration,
    merchant: &Client,
    customer: &Client,
    expected: &Expected,
) -> Result<()> {
    let began = Instant::now();
    loop {
        match check(merchant, customer, expected).await {
            Ok(()) => return Ok(()),
            Err(error) if began.elapsed() >= patience => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn check(merchant: &Client, customer: &Client, expected: &Expected) -> Result<()> {
    let order_id = expected.order.id.clone();
    let request = GetOrderRequest { id: order_id.clone() };
    let order = customer.orders().get_order(request).await.map_err(said)?;
    let state = order.get_ref().state();
    ensure!(state == order::State::Confirmed, "the order is {state:?}");

    let left = on_hand(merchant, &expected.variant_id).await?;
    ensure!(
        left == expected.on_hand,
        "there are {left} on hand, and should be {}",
        expected.on_hand
    );
    let cart = customer.cart().get_cart(GetCartRequest {}).await.map_err(said)?;
    ensure!(cart.get_ref().lines.is_empty(), "the cart is not empty");
    refusal_was_told(merchant, &order_id).await?;
    audited(merchant, &order_id).await
}

/// The card that was declined is told of once; the rest of what is told is the auditor's to count.
async fn refusal_was_told(merchant: &Client, order_id: &str) -> Result<()> {
    let request = ListMailsRequest {
        filter: format!("reference = \"{order_id}\" AND template = \"order_payment_failed\""),
        ..ListMailsRequest::default()
    };
    let mails = merchant.notifications().list_mails(request).await.map_err(said)?.into_inner();
    let count = mails.mails.len();
    ensure!(count == 1, "there are {count} mails `order_payment_failed`, and should be one");
    Ok(())
}

/// Nothing is wrong, or under way still, that is this order's or all orders'.
async fn audited(merchant: &Client, order_id: &str) -> Result<()> {
    let report = audit(merchant, &Options::default()).await?;
    let concerns = |finding: &&Finding| {
        finding.id == order_id || matches!(finding.check, Check::Book | Check::Shelf)
    };
    let Some(Finding { check, id, problem, sides, .. }) = report.findings.iter().find(concerns)
    else {
        return Ok(());
    };
    let sides: Vec<_> = sides.iter().map(|side| format!("{}: {}", side.who, side.says)).collect();
    bail!("{} {id}: {problem} ({})", check.name(), sides.join("; "))
}
