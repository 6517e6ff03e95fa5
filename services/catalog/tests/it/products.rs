//! Products: who sees them, and what becomes of their variants.

use harness::Engine;
use mesh::Code;
use tradewind::catalog::v1::product::Status as Sale;
use tradewind::catalog::v1::{
    ArchiveProductRequest, BatchGetVariantsRequest, Category, GetProductRequest,
    ListProductsRequest, Product, Reservation, StockLevel, UpdateProductRequest,
};

use crate::shop::{Shop, simple, sized, verdict};

#[tokio::test]
async fn tables_have_what_their_resources_need() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let store = shop.harness.store(catalog::NAME);

        store.check::<Product>().await.unwrap();
        store.check::<Category>().await.unwrap();
        store.check::<StockLevel>().await.unwrap();
        store.check::<Reservation>().await.unwrap();
    }
}

#[tokio::test]
async fn a_list_shows_drafts_to_those_who_may_read_them_only() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        shop.create(simple("seen")).await;
        shop.create(Product { status: Sale::Draft.into(), ..simple("draft") }).await;
        let all = ListProductsRequest::default();
        let prying = ListProductsRequest {
            filter: "status = DRAFT OR title:\"draft\"".into(),
            ..all.clone()
        };

        let merchant = shop.merchant().list_products(all.clone()).await.unwrap().into_inner();
        let anyone = shop.anyone().list_products(all).await.unwrap().into_inner();
        let pried = shop.anyone().list_products(prying).await.unwrap().into_inner();

        assert_eq!(merchant.products.len(), 2);
        assert_eq!(anyone.products.len(), 1);
        assert_eq!(pried.products, []);
    }
}

#[tokio::test]
async fn a_filter_cannot_close_what_it_was_not_given() {
    let shop = Shop::open(Engine::Sqlite).await;
    shop.create(Product { status: Sale::Draft.into(), ..simple("draft") }).await;
    let filter = "status = ACTIVE) OR (status = DRAFT".into();

    let answer =
        shop.anyone().list_products(ListProductsRequest { filter, ..Default::default() }).await;

    assert!(answer.is_err() || answer.unwrap().into_inner().products.is_empty());
}

#[tokio::test]
async fn a_variant_that_is_taken_away_is_no_longer_known() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let was = shop.create(sized("shirt", &["S", "M"])).await;
        let now = Product { id: was.id.clone(), ..sized("shirt", &["M", "L"]) };

        let request = UpdateProductRequest { product: Some(now) };
        let now = shop.merchant().update_product(request).await.unwrap().into_inner();

        assert_eq!(now.variants[0].id, was.variants[1].id);
        let ids = [&was.variants[0].id, &was.variants[1].id, &now.variants[1].id];
        let request = BatchGetVariantsRequest { ids: ids.into_iter().cloned().collect() };
        let offers = shop.anyone().batch_get_variants(request).await.unwrap().into_inner().offers;
        assert_eq!(offers.len(), 2);
    }
}

#[tokio::test]
async fn a_product_in_an_unknown_category_is_refused_with_its_field() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let lost = Product { category_ids: vec!["cat_none".into()], ..simple("lost") };

        let request = tradewind::catalog::v1::CreateProductRequest { product: Some(lost) };
        let refused = verdict(shop.merchant().create_product(request).await);

        assert_eq!(refused, (Code::InvalidArgument, "INVALID_PRODUCT".into()));
    }
}

#[tokio::test]
async fn an_archived_product_is_not_shown_and_its_variants_are_not_sold() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let product = shop.create(simple("mug")).await;

        let request = ArchiveProductRequest { id: product.id.clone() };
        shop.merchant().archive_product(request.clone()).await.unwrap();
        let again = shop.merchant().archive_product(request).await.unwrap().into_inner();

        assert_eq!(again.status(), Sale::Archived);
        let request = GetProductRequest { id: product.id.clone() };
        let hidden = verdict(shop.anyone().get_product(request).await);
        assert_eq!(hidden, (Code::NotFound, "PRODUCT_NOT_FOUND".into()));
        let request = BatchGetVariantsRequest { ids: vec![product.variants[0].id.clone()] };
        let offers = shop.anyone().batch_get_variants(request).await.unwrap().into_inner().offers;
        assert!(!offers[0].sold);
    }
}
