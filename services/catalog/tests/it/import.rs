//! Importing: what a feed changes, and what it does not.

use harness::Engine;
use tradewind::catalog::v1::import_result::Outcome;
use tradewind::catalog::v1::{
    GetProductRequest, GetStockRequest, ImportResult, ImportedProduct, Product,
};

use crate::shop::{Shop, simple, sized};

fn imported(product: Product, on_hand: &[i64]) -> ImportedProduct {
    ImportedProduct { product: Some(product), on_hand: on_hand.to_vec() }
}

fn outcomes(results: &[ImportResult]) -> Vec<Outcome> {
    results.iter().map(ImportResult::outcome).collect()
}

async fn on_hand(shop: &Shop, variant_id: &str) -> i64 {
    let request = GetStockRequest { variant_id: variant_id.into() };
    shop.stock().get_stock(request).await.unwrap().into_inner().on_hand
}

async fn product(shop: &Shop, handle: &str) -> Product {
    let request = GetProductRequest { id: handle.into() };
    shop.merchant().get_product(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_second_import_changes_nothing_and_resets_no_stock() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let feed =
            || vec![imported(sized("shirt", &["S", "M"]), &[5, 6]), imported(simple("mug"), &[7])];

        let first = shop.import(feed(), false).await;
        let shirt = product(&shop, "shirt").await;
        shop.set(&shirt.variants[0].id, 2).await.unwrap();
        let second = shop.import(feed(), false).await;

        assert_eq!(outcomes(&first), [Outcome::Created; 2]);
        assert_eq!(outcomes(&second), [Outcome::Unchanged; 2]);
        assert_eq!(product(&shop, "shirt").await, shirt);
        assert_eq!(on_hand(&shop, &shirt.variants[0].id).await, 2);

        let third = shop.import(feed(), true).await;

        assert_eq!(outcomes(&third), [Outcome::Updated, Outcome::Unchanged]);
        assert_eq!(on_hand(&shop, &shirt.variants[0].id).await, 5);
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_new_variant_gets_its_stock_and_a_known_one_keeps_its_id_and_its_own() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        shop.import(vec![imported(sized("shirt", &["S", "M"]), &[5, 6])], false).await;
        let was = product(&shop, "shirt").await;

        let wider = vec![imported(sized("shirt", &["L", "M", "S"]), &[9, 9, 9])];
        let results = shop.import(wider, false).await;

        assert_eq!(outcomes(&results), [Outcome::Updated]);
        let now = product(&shop, "shirt").await;
        assert_eq!(now.variants[2].id, was.variants[0].id);
        assert_eq!(on_hand(&shop, &now.variants[0].id).await, 9);
        assert_eq!(on_hand(&shop, &now.variants[1].id).await, 6);
        shop.verify().await;
    }
}

#[tokio::test]
async fn what_is_refused_does_not_stop_the_others() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let mug = shop.stocked("held-mug", 3).await;
        shop.reserve("ord_1", &[(&mug, 3)]).await.unwrap();
        let feed = vec![
            imported(simple("good"), &[1]),
            imported(simple("Bad Handle"), &[1]),
            imported(simple("good"), &[2]),
            imported(simple("uncounted"), &[]),
            imported(simple("miscounted"), &[1, 2]),
            imported(simple("absurd"), &[-1]),
            imported(Product { category_ids: vec!["cat_none".into()], ..simple("lost") }, &[1]),
            imported(Product { title: "\0".into(), ..simple("nul") }, &[1]),
            imported(simple("held-mug"), &[2]),
            ImportedProduct::default(),
        ];

        let results = shop.import(feed, true).await;

        let (created, refused) = (Outcome::Created, Outcome::Refused);
        assert_eq!(
            outcomes(&results),
            [
                created, refused, refused, created, refused, refused, refused, refused, refused,
                refused
            ]
        );
        let silent = |result: &&ImportResult| {
            result.outcome() == Outcome::Refused && result.message.is_empty()
        };
        assert_eq!(results.iter().find(silent), None);
        assert!(results[8].message.contains("orders hold 3"), "{}", results[8].message);
        shop.verify().await;
    }
}

#[tokio::test]
async fn an_import_of_many_products_costs_one_commit_and_few_statements() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let store = shop.harness.store(catalog::NAME);
        let products = (0..100).map(|at| imported(sized(&format!("p-{at}"), &["S", "M"]), &[1, 2]));
        let feed: Vec<_> = products.collect();
        shop.rest().await;

        let (commits, statements) = (store.commits(), store.statements());
        let results = shop.import(feed, false).await;

        assert_eq!(outcomes(&results), [Outcome::Created; 100]);
        assert_eq!(store.commits() - commits, 1);
        let statements = store.statements() - statements;
        assert!(statements < 40, "{statements} statements");
    }
}
