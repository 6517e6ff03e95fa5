//! Variants asked for by their own ids.

use harness::Engine;
use tradewind::catalog::v1::product::Status as Sale;
use tradewind::catalog::v1::{BatchGetVariantsRequest, Product};

use crate::shop::{Shop, simple, sized};

#[tokio::test]
async fn offers_come_in_the_order_asked_for_with_what_is_available_now() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let shirt = shop.create(sized("shirt", &["S", "M", "L"])).await;
        let [small, medium, large] = [0, 1, 2].map(|at| shirt.variants[at].id.clone());
        shop.set(&small, 5).await.unwrap();
        shop.reserve("ord_1", &[(&small, 2)]).await.unwrap();

        let ids = vec![large.clone(), "var_none".into(), small.clone(), medium];
        let request = BatchGetVariantsRequest { ids };
        let offers = shop.anyone().batch_get_variants(request).await.unwrap().into_inner().offers;

        let available: Vec<_> = offers.iter().map(|offer| offer.available).collect();
        assert_eq!(available, [None, Some(3), None]);
        assert_eq!(offers[0].variant.as_ref().unwrap().id, large);
        assert_eq!(offers[1].variant.as_ref().unwrap().price.as_ref().unwrap().minor, 1000);
        assert_eq!((offers[1].product_title.as_str(), offers[1].sold), ("shirt", true));
    }
}

#[tokio::test]
async fn a_thousand_offers_cost_no_commit_and_one_statement() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let sizes: Vec<_> = (0..1000).map(|size| size.to_string()).collect();
        let sizes: Vec<_> = sizes.iter().map(String::as_str).collect();
        let shirt = shop.create(sized("shirt", &sizes)).await;
        let ids: Vec<_> = shirt.variants.iter().map(|variant| variant.id.clone()).collect();
        let store = shop.harness.store(catalog::NAME);
        shop.rest().await;

        let (commits, statements) = (store.commits(), store.statements());
        let request = BatchGetVariantsRequest { ids };
        let offers = shop.anyone().batch_get_variants(request).await.unwrap().into_inner().offers;

        assert_eq!(offers.len(), 1000);
        assert_eq!(store.commits(), commits);
        // The runner and the index may look for work meanwhile.
        assert!(store.statements() - statements <= 3);
    }
}

#[tokio::test]
async fn the_variants_of_a_draft_are_offered_to_those_who_may_read_it_only() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let draft = shop.create(Product { status: Sale::Draft.into(), ..simple("new") }).await;
        let request = BatchGetVariantsRequest { ids: vec![draft.variants[0].id.clone()] };

        let anyone = shop.anyone().batch_get_variants(request.clone()).await.unwrap().into_inner();
        let merchant = shop.merchant().batch_get_variants(request).await.unwrap().into_inner();

        assert_eq!(anyone.offers, []);
        assert!(!merchant.offers[0].sold);
    }
}
