//! The mails that events make.

use harness::Engine;
use mesh::Code;
use tradewind::money::v1::Money;
use tradewind::notifications::v1::mail::State;
use tradewind::notifications::v1::{ListMailsRequest, Mail, Notification};
use tradewind::orders::v1::{
    Order, OrderCancelled, OrderConfirmed, OrderDelivered, OrderPaymentFailed, OrderRefunded,
    OrderShipped,
};

use crate::shop::{Shop, order, refusal};

/// What each mail says: its subject, an empty line, its text.
const GOLDEN: [(&str, &str); 6] = [
    ("order_confirmed", include_str!("golden/order_confirmed.txt")),
    ("order_payment_failed", include_str!("golden/order_payment_failed.txt")),
    ("order_shipped", include_str!("golden/order_shipped.txt")),
    ("order_delivered", include_str!("golden/order_delivered.txt")),
    ("order_cancelled", include_str!("golden/order_cancelled.txt")),
    ("order_refunded", include_str!("golden/order_refunded.txt")),
];

async fn tell_everything(shop: &Shop, order: Order) {
    let order = Some(order);
    shop.tell("evt_1", &OrderConfirmed { order: order.clone() }).await;
    shop.tell("evt_2", &OrderPaymentFailed { order: order.clone() }).await;
    shop.tell("evt_3", &OrderShipped { order: order.clone() }).await;
    shop.tell("evt_4", &OrderDelivered { order: order.clone() }).await;
    shop.tell("evt_5", &OrderCancelled { order: order.clone() }).await;
    let amount = Some(Money::new(2500, "EUR"));
    shop.tell("evt_6", &OrderRefunded { order, amount }).await;
}

#[tokio::test]
async fn the_tables_fit_their_resources() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let store = shop.harness.store("notifications");

        store.check::<Mail>().await.unwrap();
        store.check::<Notification>().await.unwrap();
    }
}

#[tokio::test]
async fn each_event_makes_one_mail_however_often_it_is_delivered() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;

        for _ in 0..3 {
            tell_everything(&shop, order("usr_ada")).await;
        }

        let mails = shop.mails().await;
        let mut templates: Vec<_> = mails.iter().map(|mail| mail.template.as_str()).collect();
        templates.sort_unstable();
        let mut expected = GOLDEN.map(|(name, _)| name);
        expected.sort_unstable();
        assert_eq!(templates, expected);
        for mail in &mails {
            assert_eq!(mail.state(), State::Kept);
            assert_eq!(mail.recipient, "ada@example.com");
            assert_eq!((mail.customer_id.as_str(), mail.reference.as_str()), ("usr_ada", "ord_1"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_comes_8_times_at_once_makes_one_mail() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;

        let told = (0..8).map(|_| shop.confirm("evt_1", order("usr_ada")));
        futures_util::future::join_all(told).await;

        assert_eq!(shop.mails().await.len(), 1);
    }
}

#[tokio::test]
async fn mails_say_what_happened() {
    let shop = Shop::open(Engine::Sqlite).await;

    tell_everything(&shop, order("usr_ada")).await;

    let mails = shop.mails().await;
    for (template, golden) in GOLDEN {
        let mail = mails.iter().find(|mail| mail.template == template).unwrap();
        let written = format!("{}\n\n{}", mail.subject, mail.body);
        assert_eq!(written, golden, "\n=== {template}\n{written}===");
    }
}

#[tokio::test]
async fn an_order_without_an_address_for_mail_makes_none() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;

        shop.confirm("evt_1", Order { email: String::new(), ..order("usr_ada") }).await;

        assert!(shop.mails().await.is_empty());
    }
}

#[tokio::test]
async fn those_who_may_list_mails_newest_first_by_what_they_are_about() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        for at in 1..=5 {
            let order = Order { id: format!("ord_{at}"), ..order("usr_ada") };
            shop.confirm(&format!("evt_{at}"), order).await;
            shop.harness.clock.advance(std::time::Duration::from_secs(1));
        }
        let mut merchant = shop.client(&shop.harness.as_merchant());
        let mut references = Vec::new();
        let mut page = ListMailsRequest { page_size: 2, ..ListMailsRequest::default() };
        loop {
            let answer = merchant.list_mails(page.clone()).await.unwrap().into_inner();
            references.extend(answer.mails.into_iter().map(|mail| mail.reference));
            page.page_token = answer.next_page_token;
            if page.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(references, ["ord_5", "ord_4", "ord_3", "ord_2", "ord_1"]);

        let filter = "reference = \"ord_2\"".to_owned();
        let request = ListMailsRequest { filter, ..ListMailsRequest::default() };
        assert_eq!(merchant.list_mails(request).await.unwrap().into_inner().mails.len(), 1);
        let mut customer = shop.client(&shop.harness.as_customer("usr_ada"));
        let refused = customer.list_mails(ListMailsRequest::default()).await;
        assert_eq!(refusal(refused), (Code::PermissionDenied, "PERMISSION_DENIED".into()));
    }
}
