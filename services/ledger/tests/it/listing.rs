//! Pages of transfers, oldest first.

use harness::{Engine, Harness};
use mesh::Code;
use mesh::clock::micros;
use tradewind::ledger::v1::{ListTransfersRequest, Transfer};

use crate::{account, ledger, make, open, posted, start};

/// The ids of all pages, two transfers each.
async fn pages(harness: &Harness, account_id: &str, reference: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let request = ListTransfersRequest {
            page_size: 2,
            page_token: token,
            account_id: account_id.into(),
            reference: reference.into(),
        };
        let page = ledger(harness).list_transfers(request).await.unwrap().into_inner();
        pages.push(page.transfers.into_iter().map(|transfer| transfer.id).collect());
        token = page.next_page_token;
        if token.is_empty() {
            return pages;
        }
    }
}

#[tokio::test]
async fn transfers_are_paged_by_time_of_an_account_and_for_a_reference() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b"), account("c")]).await;
        let named =
            |id, from, to| Transfer { reference: "ord_1".into(), ..posted(id, from, to, 1) };
        let batch = vec![
            named("z", "a", "b"),
            posted("y", "b", "a", 1),
            posted("x", "b", "c", 1),
            named("w", "b", "c"),
            named("v", "c", "a"),
        ];
        make(&harness, batch).await;

        assert_eq!(pages(&harness, "", "").await, [vec!["z", "y"], vec!["x", "w"], vec!["v"]]);
        assert_eq!(pages(&harness, "a", "").await, [vec!["z", "y"], vec!["v"]], "{engine:?}");
        assert_eq!(pages(&harness, "c", "").await, [vec!["x", "w"], vec!["v"]], "{engine:?}");
        assert_eq!(pages(&harness, "", "ord_1").await, [vec!["z", "w"], vec!["v"]], "{engine:?}");
        assert_eq!(pages(&harness, "b", "ord_1").await, [vec!["z", "w"]], "{engine:?}");
        assert_eq!(pages(&harness, "nobody", "").await, [vec![""; 0]], "{engine:?}");
    }
}

#[tokio::test]
async fn a_transfer_is_shown_as_it_was_made_with_a_rising_time() {
    for engine in Engine::ALL {
        let harness = start(engine).await;
        open(&harness, vec![account("a"), account("b")]).await;
        let first = Transfer { linked: true, code: 7, ..posted("t1", "a", "b", 5) };
        let batch = vec![first, posted("t2", "a", "b", 6), posted("t3", "a", "a", 1)];
        make(&harness, batch.clone()).await;
        make(&harness, vec![posted("t4", "b", "a", 1)]).await;

        let request = ListTransfersRequest::default();
        let page = ledger(&harness).list_transfers(request).await.unwrap().into_inner();

        let times: Vec<_> =
            page.transfers.iter().map(|transfer| transfer.time.as_ref().map(micros)).collect();
        assert!(times.is_sorted_by(|one, next| one < next), "{engine:?}: {times:?}");
        let shown: Vec<_> = page
            .transfers
            .into_iter()
            .map(|transfer| Transfer { time: None, ..transfer })
            .collect();
        assert_eq!(shown[..2], batch[..2], "{engine:?}");
        assert_eq!(shown.len(), 3);
    }
}

#[tokio::test]
async fn a_page_token_that_is_none_is_refused() {
    let harness = start(Engine::Sqlite).await;
    let request = ListTransfersRequest { page_token: "2".into(), ..Default::default() };

    let status = ledger(&harness).list_transfers(request).await.unwrap_err();

    assert_eq!(status.code(), Code::InvalidArgument);
}
