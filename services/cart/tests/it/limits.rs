//! What a cart does not take, and what adding to it costs.

use harness::Engine;
use mesh::Code;
use tonic_types::StatusExt;

use crate::shop::{Shop, in_it, refusal};

#[tokio::test]
async fn more_than_there_is_is_refused_with_what_there_is() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, Some(5));
        shop.add(&ada, "var_a", 3).await.unwrap();

        let status = shop.add(&ada, "var_a", 3).await.unwrap_err();

        assert_eq!(status.code(), Code::FailedPrecondition);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("OUT_OF_STOCK", "cart.tradewind")
        );
        assert_eq!(info.metadata.get("var_a").map(String::as_str), Some("5"));
        let unmet = status.get_details_precondition_failure().unwrap().violations;
        assert_eq!(unmet[0].description, "5 available, 6 asked for");
        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 3)]));
    }
}

#[tokio::test]
async fn what_is_not_sold_is_refused() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, None);
        shop.shelf.archive("var_a");

        for variant_id in ["var_a", "var_unknown"] {
            let refused = refusal(shop.add(&ada, variant_id, 1).await);
            assert_eq!(refused, (Code::FailedPrecondition, "VARIANT_NOT_SOLD".into()));
        }
        assert!(shop.get(&ada).await.lines.is_empty());
    }
}

#[tokio::test]
async fn a_line_holds_999() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        shop.shelf.sell("var_a", 1000, None);
        shop.add(&ada, "var_a", 999).await.unwrap();

        let refused = refusal(shop.add(&ada, "var_a", 1).await);

        assert_eq!(refused, (Code::FailedPrecondition, "QUANTITY_LIMIT".into()));
        for absurd in [0, -1, 1000, i64::MAX] {
            let refused = refusal(shop.add(&ada, "var_a", absurd).await);
            assert_eq!(refused.0, Code::InvalidArgument);
        }
        assert_eq!(shop.quantities(&ada).await, in_it(&[("var_a", 999)]));
    }
}

/// Statements and commits of a call in the middle.
fn most_cost(costs: &[(u64, u64)]) -> (u64, u64) {
    let mut costs = costs.to_vec();
    costs.sort_unstable();
    costs[costs.len() / 2]
}

#[tokio::test]
async fn a_cart_holds_500_lines_and_the_400th_costs_what_the_first_did() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let ada = shop.harness.as_customer("usr_ada");
        let store = shop.harness.store("cart");
        let mut costs = Vec::new();
        for at in 0..500 {
            let variant_id = format!("var_{at}");
            shop.shelf.sell(&variant_id, 1000, None);
            let (statements, commits) = (store.statements(), store.commits());
            shop.add(&ada, &variant_id, 1).await.unwrap();
            costs.push((store.statements() - statements, store.commits() - commits));
        }

        // What most of them cost: the runner's own work counts too, and a commit that is shared with it counts less.
        assert_eq!(most_cost(&costs[1..20]), most_cost(&costs[400..420]));
        assert_eq!(most_cost(&costs[1..20]).1, 1);
        shop.shelf.sell("var_500", 1000, None);
        let refused = refusal(shop.add(&ada, "var_500", 1).await);
        assert_eq!(refused, (Code::FailedPrecondition, "CART_FULL".into()));
        shop.add(&ada, "var_499", 1).await.unwrap();
        assert_eq!(shop.get(&ada).await.lines.len(), 500);
    }
}
