//! Sending an order, and its arrival.

use harness::Engine;
use mesh::{Code, Status};
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{DeliverOrderRequest, Order, ShipOrderRequest, Shipment};

use crate::world::{World, refusal};

async fn ship(world: &World, id: &str, tracking_number: &str) -> Result<Order, Status> {
    let (carrier, tracking_number) = ("DHL".into(), tracking_number.into());
    let shipment = Some(Shipment { carrier, tracking_number, ..Shipment::default() });
    let request = ShipOrderRequest { id: id.into(), shipment };
    Ok(world.client(&world.merchant()).ship_order(request).await?.into_inner())
}

async fn deliver(world: &World, id: &str) -> Result<Order, Status> {
    let request = DeliverOrderRequest { id: id.into() };
    Ok(world.client(&world.merchant()).deliver_order(request).await?.into_inner())
}

#[tokio::test]
async fn an_order_is_sent_and_arrives_once_however_often_it_is_said() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;

        let early = deliver(&world, &order.id).await;
        let shipped = ship(&world, &order.id, "1").await.unwrap();
        let shipped_again = ship(&world, &order.id, "1").await.unwrap();
        let other = ship(&world, &order.id, "2").await;
        let delivered = deliver(&world, &order.id).await.unwrap();
        let delivered_again = deliver(&world, &order.id).await.unwrap();
        let late = ship(&world, &order.id, "1").await.unwrap();
        world.settle().await;

        let refused = (Code::FailedPrecondition, "WRONG_ORDER_STATE".to_owned());
        assert_eq!(refusal(early), refused);
        assert_eq!(refusal(other), refused);
        assert_eq!(shipped.state(), State::Shipped);
        assert!(shipped.shipment.as_ref().unwrap().ship_time.is_some());
        assert_eq!(shipped_again, shipped);
        assert_eq!(delivered.state(), State::Delivered);
        assert!(delivered.shipment.as_ref().unwrap().deliver_time.is_some());
        assert_eq!((&delivered_again, &late), (&delivered, &delivered));
        let heard = ["OrderConfirmed", "OrderShipped", "OrderDelivered"];
        assert_eq!(world.listener.heard(&order.id), heard);
    }
}

#[tokio::test]
async fn only_a_paid_order_is_sent_and_only_by_those_who_may() {
    let world = World::open(Engine::Sqlite).await;
    let order = world.placed("sim_declined").await;
    let request = DeliverOrderRequest { id: order.id.clone() };

    let unpaid = ship(&world, &order.id, "1").await;
    let customer = world.client(&world.customer()).deliver_order(request).await;

    assert_eq!(refusal(unpaid), (Code::FailedPrecondition, "WRONG_ORDER_STATE".into()));
    assert_eq!(customer.unwrap_err().code(), Code::PermissionDenied);
}
