//! Notifications as they happen.

use std::time::Duration;

use harness::{Engine, Harness};
use mesh::{Code, Context};
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};
use tradewind::notifications::v1::{Notification, WatchNotificationsRequest};
use tradewind::orders::v1::{Order, OrderShipped};

use crate::shop::{Shop, order, refusal};

type Watched = std::pin::Pin<Box<dyn Stream<Item = Notification> + Send>>;

async fn watch(shop: &Shop, of: &Context, after_id: &str) -> Watched {
    let request = WatchNotificationsRequest { after_id: after_id.into() };
    let stream = shop.client(of).watch_notifications(request).await.unwrap().into_inner();
    Box::pin(stream.map(Result::unwrap))
}

async fn next(watched: &mut Watched) -> Notification {
    let next = timeout(Duration::from_secs(20), watched.next()).await;
    next.expect("a notification comes").expect("the stream is open")
}

async fn confirm(shop: &Shop, customer_id: &str, order_id: &str) {
    let order = Order { id: order_id.into(), ..order(customer_id) };
    shop.confirm(&format!("evt_{order_id}"), order).await;
}

#[tokio::test]
async fn a_watcher_gets_what_it_missed_and_then_what_happens() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        let mut from_now = watch(&shop, &ada, "").await;
        for id in ["ord_1", "ord_2", "ord_3"] {
            confirm(&shop, "usr_ada", id).await;
        }
        let first = next(&mut from_now).await;
        assert_eq!((first.reference.as_str(), first.sequence), ("ord_1", 1));
        assert_eq!(first.kind, "order_confirmed");
        assert_eq!(first.text, "Order ord_1 is confirmed.");

        let mut resumed = watch(&shop, &ada, &first.id).await;
        let mut late = watch(&shop, &ada, "").await;
        assert_eq!(next(&mut resumed).await.reference, "ord_2");
        assert_eq!(next(&mut resumed).await.reference, "ord_3");
        shop.tell("evt_shipped", &OrderShipped { order: Some(order("usr_ada")) }).await;

        for watched in [&mut resumed, &mut late] {
            let live = next(watched).await;
            assert_eq!(live.text, "Order ord_1 is on its way with DHL: JD014600003.");
            assert_eq!(live.sequence, 4);
        }
    }
}

#[tokio::test]
async fn what_was_missed_comes_whole_and_in_order() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let guest = shop.harness.as_guest("gst_1");
        let mut from_now = watch(&shop, &guest, "").await;
        for at in 0..250 {
            confirm(&shop, "gst_1", &format!("ord_{at}")).await;
        }
        let first = next(&mut from_now).await;

        let mut resumed = watch(&shop, &guest, &first.id).await;

        for at in 1..250 {
            assert_eq!(next(&mut resumed).await.reference, format!("ord_{at}"));
        }
    }
}

#[tokio::test]
async fn a_customer_is_told_of_nothing_that_is_another_ones() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        // The merchant may read all notifications, and watches what is the merchant's own.
        let watchers = [
            shop.harness.as_customer("usr_eve"),
            shop.harness.as_merchant(),
            shop.harness.as_user("usr_ada", &["customer"], "another"),
        ];
        let mut watched = Vec::new();
        for watcher in &watchers {
            watched.push(watch(&shop, watcher, "").await);
        }
        let mut hers = watch(&shop, &shop.harness.as_customer("usr_ada"), "").await;
        confirm(&shop, "usr_ada", "ord_1").await;
        let notification = next(&mut hers).await;

        for watcher in &watchers {
            let request = WatchNotificationsRequest { after_id: notification.id.clone() };
            let refused = shop.client(watcher).watch_notifications(request).await;
            assert_eq!(refusal(refused), (Code::NotFound, "NOTIFICATION_NOT_FOUND".into()));
        }
        confirm(&shop, "usr_eve", "ord_2").await;
        assert_eq!(next(&mut watched[0]).await.reference, "ord_2");
        for silent in &mut watched[1..] {
            let polls = timeout(Duration::from_millis(50), silent.next()).await;
            assert!(polls.is_err(), "{polls:?}");
        }
    }
}

#[tokio::test]
async fn what_another_replica_writes_is_seen() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        let mut watched = watch(&shop, &ada, "").await;
        written_elsewhere(&shop.harness).await;

        assert_eq!(next(&mut watched).await.reference, "ord_1");
    }
}

/// A row that no consumer of this process wrote, so that nobody rings.
async fn written_elsewhere(harness: &Harness) {
    let context = harness.as_service("notifications", Some("usr_ada"));
    let mut tx = harness.store("notifications").begin_for(&context).await.unwrap();
    let notification = Notification {
        customer_id: "usr_ada".into(),
        reference: "ord_1".into(),
        sequence: 1,
        ..Notification::default()
    };
    tx.insert(notification).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_when_the_process_stops() {
    let shop = Shop::open(Engine::Sqlite).await;
    let mut watched = watch(&shop, &shop.harness.as_customer("usr_ada"), "").await;

    let _database = shop.harness.stop().await;

    let end = timeout(Duration::from_secs(20), watched.next()).await.expect("it ends");
    assert_eq!(end, None);
}
