//! Accounts: made once, read by their ids.

use harness::Engine;
use mesh::Code;
use tradewind::ledger::v1::account_result::Code as Said;
use tradewind::ledger::v1::{Account, AccountResult, CreateAccountsRequest, GetAccountsRequest};

use crate::{account, elsewhere, ledger, ledger_of, open, start, wallet};

#[tokio::test]
async fn an_account_is_made_once_and_its_repeat_says_so() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        let both = Account { credits_must_not_exceed_debits: true, ..wallet("both") };
        let usd = Account { currency_code: "USD".into(), ..account("a") };
        let accounts = vec![account("a"), wallet("w"), both, account("a"), usd];
        let request = CreateAccountsRequest { accounts };

        let mut said = Vec::new();
        for _ in 0..2 {
            let response = ledger(&harness).create_accounts(request.clone()).await.unwrap();
            let codes =
                response.into_inner().results.iter().map(AccountResult::code).collect::<Vec<_>>();
            said.push(codes);
        }

        let (limits, other) = (Said::LimitsAreMutuallyExclusive, Said::ExistsWithDifferentFields);
        let (made, exists) = (Said::Unspecified, Said::Exists);
        assert_eq!(said[0], [made, made, limits, exists, other], "{engine:?}");
        assert_eq!(said[1], [exists, exists, limits, exists, other], "{engine:?}");
    }
}

#[tokio::test]
async fn calls_that_make_the_same_accounts_agree() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        let accounts: Vec<_> = (0..40).map(|number| account(&format!("a{number}"))).collect();

        let mut calls = tokio::task::JoinSet::new();
        for call in 0..8 {
            let (mut client, mut accounts) = (ledger(&harness), accounts.clone());
            accounts.rotate_left(call * 5);
            calls.spawn(
                async move { client.create_accounts(CreateAccountsRequest { accounts }).await },
            );
        }
        let responses = calls.join_all().await;

        let results = responses.into_iter().flat_map(|it| it.unwrap().into_inner().results);
        let made = results.filter(|result| result.code() == Said::Unspecified).count();
        assert_eq!(made, 40, "{engine:?}");
    }
}

#[tokio::test]
async fn accounts_come_in_the_order_asked_for_and_unknown_ones_are_left_out() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), wallet("w")]).await;
        let ids = ["w", "nobody", "a"].map(String::from).to_vec();

        let merchant = harness.as_merchant();
        let request = GetAccountsRequest { ids };
        let found = ledger_of(&harness, &merchant).get_accounts(request.clone()).await.unwrap();
        let foreign = ledger_of(&harness, &elsewhere("other")).get_accounts(request).await.unwrap();

        let [first, second] = &found.into_inner().accounts[..] else { panic!("{engine:?}") };
        assert_eq!((first.id.as_str(), second.id.as_str()), ("w", "a"));
        assert!(first.debits_must_not_exceed_credits && !second.debits_must_not_exceed_credits);
        assert_eq!(first.create_time, Some(harness.clock.now()));
        assert!(foreign.into_inner().accounts.is_empty(), "{engine:?}: another project's");
    }
}

#[tokio::test]
async fn customers_neither_read_nor_write_the_book() {
    let harness = start(Engine::Sqlite).await;
    let mut client = ledger_of(&harness, &harness.as_customer("usr_1"));

    let read = client.get_accounts(GetAccountsRequest { ids: vec!["a".into()] }).await;
    let write =
        client.create_accounts(CreateAccountsRequest { accounts: vec![account("a")] }).await;

    assert_eq!(read.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(write.unwrap_err().code(), Code::PermissionDenied);
}
