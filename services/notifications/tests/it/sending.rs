//! Mails handed to a mail server.

use std::time::Duration;

use harness::Engine;
use notifications::Config;
use tradewind::notifications::v1::mail::State;
use tradewind::orders::v1::Order;

use crate::server::Server;
use crate::shop::{Shop, order};

/// Past the first time that a task waits after it failed.
const LATER: Duration = Duration::from_secs(2);

async fn open(engine: Engine) -> (Shop, Server) {
    let server = Server::start().await;
    (Shop::sending(engine, Some(&server.url())).await, server)
}

#[tokio::test]
async fn a_mail_is_sent_once() {
    for engine in Engine::ALL {
        let (shop, server) = open(engine).await;

        for _ in 0..3 {
            shop.confirm("evt_1", order("usr_ada")).await;
            shop.harness.settle().await;
        }

        let mail = shop.mail().await;
        assert_eq!(mail.state(), State::Sent);
        let received = server.received();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].to, ["TO:<ada@example.com>"]);
        let header = |name| received[0].header(name);
        assert_eq!(header("Subject"), Some("Your order ord_1 is confirmed"));
        assert_eq!(header("Message-ID"), Some(format!("<{}@example.com>", mail.id).as_str()));
        assert_eq!(header("Date"), Some("Thu, 01 Jan 2026 00:00:00 +0000"));
        assert_eq!(header("Auto-Submitted"), Some("auto-generated"));
        assert!(header("From").unwrap().contains("<shop@example.com>"));
    }
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    for engine in Engine::ALL {
        let (shop, server) = open(engine).await;
        server.answer_next("RCPT", "451 4.3.2 come back later");

        shop.confirm("evt_1", order("usr_ada")).await;
        shop.harness.settle().await;
        assert_eq!(shop.mail().await.state(), State::Queued);
        assert!(server.received().is_empty());

        shop.harness.clock.advance(LATER);
        shop.harness.settle().await;
        assert_eq!(shop.mail().await.state(), State::Sent);
        assert_eq!(server.received().len(), 1);
        assert_eq!(server.recipients(), 2);
    }
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_fails_with_the_reason() {
    for engine in Engine::ALL {
        let (shop, server) = open(engine).await;
        server.answer_next("RCPT", "550 5.1.1 nobody of that name");

        shop.confirm("evt_1", order("usr_ada")).await;
        shop.harness.settle().await;
        shop.harness.clock.advance(LATER);
        shop.harness.settle().await;

        let mail = shop.mail().await;
        assert_eq!(mail.state(), State::Failed);
        assert!(mail.error.contains("nobody of that name"), "{}", mail.error);
        assert_eq!(server.recipients(), 1);
        assert!(server.received().is_empty());
    }
}

#[tokio::test]
async fn a_mail_whose_fate_is_not_known_is_sent_again_under_the_same_id() {
    let (shop, server) = open(Engine::Sqlite).await;
    server.answer_next(".", "");

    shop.confirm("evt_1", order("usr_ada")).await;
    shop.harness.settle().await;
    shop.harness.clock.advance(LATER);
    shop.harness.settle().await;

    assert_eq!(shop.mail().await.state(), State::Sent);
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert!(received[0].header("Message-ID").is_some());
    assert_eq!(received[0].data, received[1].data);
}

#[tokio::test]
async fn no_mail_fails_for_our_own_password() {
    let server = Server::start().await;
    let url = format!("smtp://shop:secret@127.0.0.1:{}", server.port);
    let shop = Shop::sending(Engine::Sqlite, Some(&url)).await;
    server.answer_next("AUTH", "535 5.7.8 wrong password");

    shop.confirm("evt_1", order("usr_ada")).await;
    shop.harness.settle().await;
    assert_eq!(shop.mail().await.state(), State::Queued);

    shop.harness.clock.advance(LATER);
    shop.harness.settle().await;
    assert_eq!(shop.mail().await.state(), State::Sent);
}

#[tokio::test]
async fn line_breaks_add_neither_headers_nor_recipients() {
    let (shop, server) = open(Engine::Sqlite).await;
    let id = "ord_1\r\nBcc: eve@example.com\r\n\r\nInstead".to_owned();
    shop.confirm("evt_1", Order { id, ..order("usr_ada") }).await;
    shop.harness.settle().await;
    let received = server.received();
    let subject = "Your order ord_1 Bcc: eve@example.com Instead is confirmed";
    assert_eq!(received[0].header("Subject"), Some(subject));
    assert_eq!(received[0].header("Bcc"), None);
    assert_eq!(received[0].to.len(), 1);

    let email = "ada@example.com>\r\nRCPT TO:<eve@example.com".to_owned();
    shop.confirm("evt_2", Order { email, id: "ord_2".into(), ..order("usr_ada") }).await;
    shop.harness.settle().await;

    let mails = shop.mails().await;
    let mail = mails.iter().find(|mail| mail.reference == "ord_2").unwrap();
    assert_eq!(mail.state(), State::Failed);
    assert!(mail.error.contains("not an e-mail address"), "{}", mail.error);
    assert_eq!((server.recipients(), server.received().len()), (1, 1));
}

#[test]
fn a_configuration_that_is_not_one_is_refused_and_its_password_never_shown() {
    assert!(Config::new(Some("mail.example.com"), "shop@example.com").is_err());
    assert!(Config::new(Some("http://mail.example.com"), "shop@example.com").is_err());
    assert!(Config::new(None, "the shop").is_err());

    let url = "smtps://shop:secret@mail.example.com";
    let config = Config::new(Some(url), "Shop <shop@example.com>").unwrap();
    assert!(!format!("{config:?}").contains("secret"));
}
