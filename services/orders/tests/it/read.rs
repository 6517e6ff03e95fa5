//! Who may read which orders, and what they find.

use harness::Engine;
use mesh::{Code, Context};
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::{
    CancelOrderRequest, GetGuestOrderRequest, GetOrderRequest, ListOrderHistoryRequest,
    ListOrdersRequest, PayOrderRequest, PlaceOrderRequest,
};

use crate::world::{World, keyed, refusal, shirts};

async fn listed(world: &World, of: &Context, filter: &str) -> Vec<String> {
    let request = ListOrdersRequest { filter: filter.into(), ..ListOrdersRequest::default() };
    let answer = world.client(of).list_orders(request).await.unwrap().into_inner();
    answer.orders.into_iter().map(|order| order.id).collect()
}

#[tokio::test]
async fn an_order_is_its_customers_and_the_merchants_alone() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_ok").await;
        let other = world.harness.as_customer("usr_2");
        let stranger = world.harness.as_user("usr_1", &["merchant"], "elsewhere");

        for context in [&other, &stranger] {
            let mut client = world.client(context);
            let read = client.get_order(GetOrderRequest { id: order.id.clone() }).await;
            let history = ListOrderHistoryRequest { id: order.id.clone() };
            let history = client.list_order_history(history).await;
            assert_eq!(refusal(read), (Code::NotFound, "ORDER_NOT_FOUND".into()));
            assert_eq!(refusal(history), (Code::NotFound, "ORDER_NOT_FOUND".into()));
            assert!(listed(&world, context, "").await.is_empty());
        }
        assert_eq!(listed(&world, &world.customer(), "").await, [order.id.as_str()]);
        assert_eq!(listed(&world, &world.merchant(), "").await, [order.id.as_str()]);
        assert_eq!(world.get(&order.id).await, order);
    }
}

#[tokio::test]
async fn who_may_only_read_orders_changes_none() {
    let world = World::open(Engine::Sqlite).await;
    let order = world.placed("sim_declined").await;
    let support = world.harness.as_user("usr_support", &["support"], "default");
    let mut client = world.client(&support);

    let read = client.get_order(GetOrderRequest { id: order.id.clone() }).await;
    let (id, payment_method) = (order.id.clone(), "sim_ok".into());
    let paid = client.pay_order(keyed("p", PayOrderRequest { id, payment_method })).await;
    let (id, reason) = (order.id.clone(), String::new());
    let cancelled = client.cancel_order(CancelOrderRequest { id, reason }).await;

    assert!(read.is_ok());
    let refused = (Code::PermissionDenied, "ANOTHER_CUSTOMERS_ORDER".to_owned());
    assert_eq!(refusal(paid), refused);
    assert_eq!(refusal(cancelled), refused);
    assert_eq!(world.get(&order.id).await, order);
}

#[tokio::test]
async fn a_guest_reads_an_order_by_its_token_alone() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let mut guest = world.client(&world.harness.as_guest("gst_1"));
        let mut request =
            PlaceOrderRequest { email: "ada@example.com".into(), ..shirts(1, "sim_ok") };
        let one = guest.place_order(keyed("k", request.clone())).await.unwrap().into_inner();
        request.lines[0].quantity = 2;
        let two = guest.place_order(keyed("l", request)).await.unwrap().into_inner();
        let users = world.placed("sim_ok").await;
        let mut nobody = world.client(&world.harness.nobody());
        let order = one.order.unwrap();

        let of = |id: &str, token: &str| GetGuestOrderRequest {
            id: id.into(),
            guest_token: token.into(),
        };
        let read = nobody.get_guest_order(of(&order.id, &one.guest_token)).await.unwrap();

        assert_eq!(read.into_inner().id, order.id);
        for wrong in [
            of(&order.id, &two.guest_token),
            of(&users.id, &one.guest_token),
            of("ord_none", &one.guest_token),
        ] {
            let refused = nobody.get_guest_order(wrong).await;
            assert_eq!(refusal(refused), (Code::NotFound, "ORDER_NOT_FOUND".into()));
        }
        let without = nobody.get_order(GetOrderRequest { id: order.id }).await;
        assert_eq!(without.unwrap_err().code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn the_history_tells_all_of_it_in_order() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let order = world.placed("sim_declined").await;
        world.pay(&order.id, "p", "sim_ok").await.unwrap();
        world.refund(&order.id, "r", Some(100)).await.unwrap();
        world.cancel(&order.id).await.unwrap();

        let history = world.history(&order.id).await;

        let told = |state, note: &str| (state, note.to_owned());
        assert_eq!(
            history,
            [
                told(State::Placing, "placed"),
                told(State::PendingPayment, "the payment was refused"),
                told(State::Confirmed, "paid"),
                told(State::Confirmed, "100 minor units of EUR given back"),
                told(State::Cancelling, "changed my mind"),
                told(State::Cancelled, "changed my mind"),
            ]
        );
    }
}

#[tokio::test]
async fn orders_are_filtered_by_state_and_total_newest_first() {
    for engine in Engine::ALL {
        let world = World::open(engine).await;
        let (customer, merchant) = (world.customer(), world.merchant());
        let mut ids = Vec::new();
        for (quantity, method) in [(1, "sim_ok"), (3, "sim_ok"), (4, "sim_declined")] {
            world.harness.clock.advance(std::time::Duration::from_secs(1));
            let request = keyed(&format!("k{quantity}"), shirts(quantity, method));
            let placed = world.client(&customer).place_order(request).await.unwrap().into_inner();
            ids.push(placed.order.unwrap().id);
        }
        let [small, large, unpaid] = ids.try_into().unwrap();

        let all = listed(&world, &merchant, "").await;
        let confirmed = listed(&world, &merchant, "state = CONFIRMED").await;
        let large_ones = "state = CONFIRMED AND total.minor >= 2000";
        let large_ones = listed(&world, &merchant, large_ones).await;

        assert_eq!(all, [unpaid, large.clone(), small.clone()]);
        assert_eq!(confirmed, [large.clone(), small]);
        assert_eq!(large_ones, [large]);
    }
}
