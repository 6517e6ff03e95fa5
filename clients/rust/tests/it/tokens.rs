//! Tokens: sent, and refreshed in time.

use std::sync::Arc;

use mesh::Code;
use tradewind::catalog::v1::SearchProductsRequest;
use tradewind_client::Session;

use crate::script::{Outcome, Script, tokens};

fn encoded(tokens: &tradewind::users::v1::Tokens) -> Vec<u8> {
    prost::Message::encode_to_vec(tokens)
}

#[tokio::test]
async fn a_token_is_sent_as_it_is_while_it_is_good() {
    let script = Script::default();
    let client = script.client();
    let client = client.signed_in(Arc::new(Session::of(&client, tokens("first", 60))));

    client.catalog().search_products(SearchProductsRequest::default()).await.unwrap();

    assert_eq!(script.tries().len(), 1);
    assert_eq!(script.tries()[0].header("authorization"), Some("Bearer access-first"));
}

#[tokio::test]
async fn a_token_that_ends_is_refreshed_once_however_many_calls_want_it() {
    let script = Script::of([Outcome::Answers(encoded(&tokens("second", 300)))]);
    let client = script.client().in_project("bakery");
    let client = client.signed_in(Arc::new(Session::of(&client, tokens("first", 10))));

    let calls = (0..8).map(|_| {
        let mut catalog = client.catalog();
        async move { catalog.search_products(SearchProductsRequest::default()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }

    let tries = script.tries();
    assert_eq!(tries.len(), 9);
    assert!(tries[0].path.ends_with("/RefreshSession"), "{}", tries[0].path);
    // It names no caller, so it is in the project that the key says.
    assert_eq!(tries[0].header("authorization"), None);
    assert_eq!(tries[0].header("tradewind-key"), Some("tw_pub_bakery"));
    assert!(tries[1..].iter().all(|it| it.header("authorization") == Some("Bearer access-second")));
}

#[tokio::test]
async fn a_session_that_cannot_be_refreshed_fails_the_call() {
    let script = Script::of([Outcome::Refuses(Code::Unauthenticated, None)]);
    let client = script.client();
    let client = client.signed_in(Arc::new(Session::of(&client, tokens("first", 0))));

    let refused = client.catalog().search_products(SearchProductsRequest::default()).await;

    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(script.tries().len(), 1);
}
