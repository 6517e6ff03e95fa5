//! Finding products.

use harness::{Engine, Harness};
use mesh::Code;
use tradewind::catalog::v1::product::Status as Sale;
use tradewind::catalog::v1::search_products_request::Order;
use tradewind::catalog::v1::{
    ArchiveProductRequest, CreateProductRequest, Facet, Product, SearchProductsRequest,
    SearchProductsResponse,
};

use crate::shop::{Shop, catalog, simple, sized, variant, verdict};

fn words(query: &str) -> SearchProductsRequest {
    SearchProductsRequest { query: query.into(), ..SearchProductsRequest::default() }
}

fn handles(answer: &SearchProductsResponse) -> Vec<&str> {
    answer.products.iter().map(|product| product.handle.as_str()).collect()
}

fn facet<'f>(answer: &'f SearchProductsResponse, name: &str) -> Vec<(&'f str, i64)> {
    let values = |facet: &'f Facet| {
        facet.values.iter().map(|value| (value.value.as_str(), value.count)).collect()
    };
    answer.facets.iter().find(|facet| facet.name == name).map(values).unwrap_or_default()
}

fn priced(handle: &str, minor: i64) -> Product {
    Product { variants: vec![variant(&[], minor)], ..simple(handle) }
}

#[tokio::test]
async fn a_product_is_found_as_soon_as_it_is_committed_and_no_longer_than_it_is_sold() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let shirt = shop.create(simple("linen-shirt")).await;
        shop.create(Product { status: Sale::Draft.into(), ..simple("linen-draft") }).await;

        let found = shop.search(words("linen")).await;
        let request = ArchiveProductRequest { id: shirt.id.clone() };
        shop.merchant().archive_product(request).await.unwrap();
        let archived = shop.search(words("linen")).await;

        assert_eq!(found.products, [shirt]);
        assert_eq!(archived.total, 0);
    }
}

#[tokio::test]
async fn words_are_found_in_all_that_a_product_is_called() {
    let shop = Shop::open(Engine::Sqlite).await;
    let mut shirt = Product {
        title: "Café Shirt".into(),
        description: "<p>Breathable <b>linen</b></p>".into(),
        vendor: "Acme".into(),
        product_type: "Tops".into(),
        tags: vec!["summer sale".into()],
        ..sized("cafe-shirt", &["Small", "Medium"])
    };
    shirt.variants[0].sku = "AC-1017".into();
    shop.create(shirt).await;
    shop.create(simple("mug")).await;

    for query in
        ["cafe", "shirt LINEN", "acme", "tops", "summer", "medium", "AC-1017", "cafe-shirt", "brea"]
    {
        assert_eq!(handles(&shop.search(words(query)).await), ["cafe-shirt"], "{query}");
    }
    for query in ["cafe mug", "b", "!?"] {
        assert_eq!(shop.search(words(query)).await.total, 0, "{query}");
    }
}

#[tokio::test]
async fn a_title_outweighs_a_description() {
    let shop = Shop::open(Engine::Sqlite).await;
    shop.create(Product { description: "goes with tea".into(), ..simple("mug") }).await;
    shop.create(simple("green-tea")).await;

    assert_eq!(handles(&shop.search(words("tea")).await), ["green-tea", "mug"]);
}

#[tokio::test]
async fn a_typo_is_forgiven_when_nothing_is_found_without() {
    let shop = Shop::open(Engine::Sqlite).await;
    shop.create(simple("linen-shirt")).await;
    shop.create(simple("short-trousers")).await;

    let typo = shop.search(words("linnen shrit")).await;
    let exact = shop.search(words("short")).await;

    assert_eq!(handles(&typo), ["linen-shirt"]);
    assert_eq!(typo.corrected_query, "linen shirt");
    assert_eq!(handles(&exact), ["short-trousers"]);
    assert_eq!(exact.corrected_query, "");
    assert_eq!(shop.search(words("tae")).await.total, 0);
}

#[tokio::test]
async fn what_is_found_is_counted_narrowed_ordered_and_paged() {
    let shop = Shop::open(Engine::Sqlite).await;
    for at in 0..25 {
        let vendor = if at % 5 == 0 { "acme" } else { "bolt" };
        let tags = if at % 2 == 0 { vec!["even".into(), "all".into()] } else { vec!["all".into()] };
        let product = priced(&format!("thing-{at:02}"), 100 + at);
        shop.create(Product { vendor: vendor.into(), tags, ..product }).await;
    }
    let cheapest =
        SearchProductsRequest { order: Order::Price.into(), page_size: 10, ..words("thing") };

    let first = shop.search(cheapest.clone()).await;
    let next =
        SearchProductsRequest { page_token: first.next_page_token.clone(), ..cheapest.clone() };
    let second = shop.search(next).await;
    let dearest = SearchProductsRequest { order: Order::PriceDesc.into(), ..cheapest.clone() };
    let dearest = shop.search(dearest).await;
    let narrowed = SearchProductsRequest {
        vendors: vec!["acme".into(), "none".into()],
        tags: vec!["even".into(), "all".into()],
        min_price_minor: Some(105),
        max_price_minor: Some(119),
        ..cheapest
    };
    let narrowed = shop.search(narrowed).await;

    assert_eq!((first.total, first.products.len()), (25, 10));
    assert_eq!(facet(&first, "vendor"), [("bolt", 20), ("acme", 5)]);
    assert_eq!(facet(&first, "tag"), [("all", 25), ("even", 13)]);
    assert_eq!(handles(&first)[0], "thing-00");
    assert_eq!(handles(&second)[0], "thing-10");
    assert_eq!(handles(&dearest)[0], "thing-24");
    assert_eq!(handles(&narrowed), ["thing-10"]);
    let request = SearchProductsRequest { page_token: "x".into(), ..words("thing") };
    let refused = verdict(shop.anyone().search_products(request).await);
    assert_eq!(refused, (Code::InvalidArgument, "INVALID_PAGE_TOKEN".into()));
}

#[tokio::test]
async fn what_is_sold_out_is_left_out_when_that_is_asked_for() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let tea = shop.stocked("tea", 2).await;
        shop.create(simple("endless-tea")).await;
        let buyable = SearchProductsRequest { in_stock: true, ..words("tea") };

        let before = shop.search(buyable.clone()).await.total;
        shop.reserve("ord_1", &[(&tea, 2)]).await.unwrap();
        // Another page size is another question: answers are kept for a while.
        let sold_out =
            shop.search(SearchProductsRequest { page_size: 30, ..buyable.clone() }).await;
        let request =
            tradewind::catalog::v1::ReleaseReservationRequest { order_id: "ord_1".into() };
        shop.stock().release_reservation(request).await.unwrap();
        let again = shop.search(SearchProductsRequest { page_size: 40, ..buyable }).await;

        assert_eq!(before, 2);
        assert_eq!(handles(&sold_out), ["endless-tea"]);
        assert_eq!(again.total, 2);
    }
}

#[tokio::test]
async fn a_project_finds_its_own_products_only() {
    for engine in Engine::ALL {
        let shop = Shop::open(engine).await;
        let stranger = shop.harness.as_user("usr_2", &["merchant"], "other");
        let secret = Product { vendor: "hidden".into(), ..simple("secret-shirt") };
        let request = CreateProductRequest { product: Some(secret) };
        shop.catalog(&stranger).create_product(request).await.unwrap();
        shop.create(simple("public-skirt")).await;

        let everything = shop.search(words("")).await;
        let theirs = shop.search(words("secret")).await;
        let typo = shop.search(words("secrit shirt")).await;
        let prying = SearchProductsRequest { vendors: vec!["hidden".into()], ..words("") };
        let pried = shop.search(prying).await;
        let own = shop.catalog(&stranger).search_products(words("")).await.unwrap().into_inner();

        assert_eq!(handles(&everything), ["public-skirt"]);
        assert_eq!(facet(&everything, "vendor"), []);
        for (answer, what) in [(theirs, "words"), (typo, "typos"), (pried, "filters")] {
            assert_eq!((answer.total, answer.corrected_query.as_str()), (0, ""), "{what}");
        }
        assert_eq!(handles(&own), ["secret-shirt"]);
    }
}

#[tokio::test]
async fn an_index_goes_on_where_it_stopped_and_is_made_anew_when_it_is_another_one_s() {
    for engine in Engine::ALL {
        let directory = tempfile::tempdir().unwrap();
        let index = directory.path().join("search");
        let part = || vec![catalog(Some(index.clone()))];
        let shop = Shop { harness: Harness::start(engine, part()).await };
        shop.create(simple("first-tea")).await;
        assert_eq!(shop.search(words("tea")).await.total, 1);
        let clock = shop.harness.clock.clone();

        // Changed while the index was not there to see it.
        let database = shop.harness.stop().await;
        let shop =
            Shop { harness: Harness::start_on(database, vec![catalog(None)], clock.clone()).await };
        shop.create(simple("second-tea")).await;
        let database = shop.harness.stop().await;
        let shop = Shop { harness: Harness::start_on(database, part(), clock.clone()).await };
        assert_eq!(shop.search(words("tea")).await.total, 2);

        // Broken.
        let database = shop.harness.stop().await;
        std::fs::write(index.join("meta.json"), "{").unwrap();
        let shop = Shop { harness: Harness::start_on(database, part(), clock).await };
        assert_eq!(shop.search(words("tea")).await.total, 2);

        // Of another database, which has more changes than this one had.
        drop(shop.harness.stop().await);
        let shop = Shop { harness: Harness::start(engine, part()).await };
        for at in 0..5 {
            shop.create(simple(&format!("new-mug-{at}"))).await;
        }
        assert_eq!(shop.search(words("tea")).await.total, 0);
        assert_eq!(shop.search(words("mug")).await.total, 5);
    }
}
