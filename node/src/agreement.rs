//! Whether the services agree on an order that was paid.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tradewind::cart::v1::GetCartRequest;
use tradewind::ledger::v1::transfer::Kind;
use tradewind::ledger::v1::{ListTransfersRequest, VerifyBookRequest};
use tradewind::notifications::v1::ListMailsRequest;
use tradewind::orders::v1::{GetOrderRequest, Order, order};
use tradewind::payments::v1::{GetPaymentRequest, payment_intent};

use tradewind_client::Client;

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
    let total = expected.order.total.as_ref().map_or(0, |total| total.minor);

    let request = GetOrderRequest { id: order_id.clone() };
    let order = customer.orders().get_order(request).await.map_err(said)?;
    let state = order.get_ref().state();
    ensure!(state == order::State::Confirmed, "the order is {state:?}");

    let intent_id = expected.order.payment.clone().unwrap_or_default().intent_id;
    let request = GetPaymentRequest { id: intent_id };
    let mut payments = merchant.payments();
    let intent = payments.get_payment(request).await.map_err(said)?.into_inner();
    ensure!(
        intent.state() == payment_intent::State::Succeeded && intent.captured_minor == total,
        "the payment is {:?} with {} of {total} taken",
        intent.state(),
        intent.captured_minor
    );
    ensure!(intent.settled, "the ledger has not settled the payment");

    ledger(merchant, &order_id, total).await?;
    let left = on_hand(merchant, &expected.variant_id).await?;
    ensure!(
        left == expected.on_hand,
        "there are {left} on hand, and should be {}",
        expected.on_hand
    );

    let cart = customer.cart().get_cart(GetCartRequest {}).await.map_err(said)?;
    ensure!(cart.get_ref().lines.is_empty(), "the cart is not empty");
    mails(merchant, &order_id).await
}

async fn ledger(merchant: &Client, order_id: &str, total: i64) -> Result<()> {
    let mut ledger = merchant.ledger();
    let request =
        ListTransfersRequest { reference: order_id.to_owned(), ..ListTransfersRequest::default() };
    let transfers = ledger.list_transfers(request).await.map_err(said)?.into_inner().transfers;
    let posted: i64 = transfers
        .iter()
        .filter(|transfer| matches!(transfer.kind(), Kind::Posted | Kind::PostPending))
        .map(|transfer| transfer.amount)
        .sum();
    ensure!(
        posted == total,
        "the ledger moved {posted} for the order, and should have moved {total}"
    );
    let book = ledger.verify_book(VerifyBookRequest {}).await.map_err(said)?.into_inner();
    ensure!(book.problems.is_empty(), "the book does not add up: {}", book.problems.join("; "));
    Ok(())
}

async fn mails(merchant: &Client, order_id: &str) -> Result<()> {
    let request = ListMailsRequest {
        filter: format!("reference = \"{order_id}\""),
        ..ListMailsRequest::default()
    };
    let mut notifications = merchant.notifications();
    let mails = notifications.list_mails(request).await.map_err(said)?.into_inner().mails;
    for template in ["order_payment_failed", "order_confirmed"] {
        let count = mails.iter().filter(|mail| mail.template == template).count();
        ensure!(count == 1, "there are {count} mails `{template}`, and should be one");
    }
    Ok(())
}
