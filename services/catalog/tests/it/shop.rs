//! A catalog to test, and what is sold in it.

use std::path::PathBuf;

use harness::{Engine, Harness};
use mesh::{Code, Context, Status};
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::product::Status as Sale;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::catalog::v1::{
    CreateProductRequest, ImportProductsRequest, ImportResult, ImportedProduct, Option as Choice,
    Product, Reservation, ReserveRequest, ReservedLine, SearchProductsRequest,
    SearchProductsResponse, SetStockRequest, Variant, VerifyStockRequest,
};
use tradewind::money::v1::Money;

/// A running catalog.
pub(crate) struct Shop {
    pub(crate) harness: Harness,
}

impl Shop {
    pub(crate) async fn open(engine: Engine) -> Self {
        Self { harness: Harness::start(engine, vec![catalog(None)]).await }
    }

    pub(crate) fn catalog(
        &self,
        caller: &Context,
    ) -> CatalogServiceClient<mesh::channel::Outgoing> {
        CatalogServiceClient::new(self.harness.peer(catalog::NAME).of(caller))
    }

    pub(crate) fn merchant(&self) -> CatalogServiceClient<mesh::channel::Outgoing> {
        self.catalog(&self.harness.as_merchant())
    }

    pub(crate) fn anyone(&self) -> CatalogServiceClient<mesh::channel::Outgoing> {
        self.catalog(&self.harness.nobody())
    }

    pub(crate) fn stock(&self) -> StockServiceClient<mesh::channel::Outgoing> {
        let orders = self.harness.as_service("orders", None);
        StockServiceClient::new(self.harness.peer(catalog::NAME).of(&orders))
    }

    pub(crate) async fn create(&self, product: Product) -> Product {
        let request = CreateProductRequest { product: Some(product) };
        self.merchant().create_product(request).await.unwrap().into_inner()
    }

    /// A product of one variant, of which there are so many; the id of the variant.
    pub(crate) async fn stocked(&self, handle: &str, on_hand: i64) -> String {
        let id = self.create(simple(handle)).await.variants[0].id.clone();
        self.set(&id, on_hand).await.unwrap();
        id
    }

    pub(crate) async fn set(&self, id: &str, on_hand: i64) -> Result<(), Status> {
        let request = SetStockRequest { variant_id: id.into(), on_hand };
        self.stock().set_stock(request).await.map(|_| ())
    }

    pub(crate) async fn reserve(
        &self,
        order_id: &str,
        lines: &[(&str, i64)],
    ) -> Result<Reservation, Status> {
        let request = reserve_request(order_id, lines, self.harness.clock.now_micros());
        Ok(self.stock().reserve(request).await?.into_inner())
    }

    pub(crate) async fn import(
        &self,
        products: Vec<ImportedProduct>,
        set_stock: bool,
    ) -> Vec<ImportResult> {
        let request = ImportProductsRequest { products, set_stock };
        self.merchant().import_products(request).await.unwrap().into_inner().results
    }

    pub(crate) async fn search(&self, request: SearchProductsRequest) -> SearchProductsResponse {
        self.anyone().search_products(request).await.unwrap().into_inner()
    }

    /// Waits until the index has caught up and nothing is left to do, so that costs can be counted.
    pub(crate) async fn rest(&self) {
        self.search(SearchProductsRequest::default()).await;
        self.harness.settle().await;
    }

    /// Fails unless the movements add up to the levels.
    pub(crate) async fn verify(&self) {
        let verified = self.stock().verify_stock(VerifyStockRequest {}).await.unwrap().into_inner();
        assert_eq!(verified.wrong_variant_ids, Vec::<String>::new());
    }
}

pub(crate) fn catalog(index: Option<PathBuf>) -> harness::Part {
    harness::part(catalog::NAME, catalog::MIGRATIONS, catalog::CONSUMES, |store, mesh| {
        catalog::service(catalog::Config { index }, store, mesh)
    })
}

/// Held for 15 minutes.
pub(crate) fn reserve_request(order_id: &str, lines: &[(&str, i64)], now: i64) -> ReserveRequest {
    let line = |(variant_id, quantity): &(&str, i64)| ReservedLine {
        variant_id: (*variant_id).into(),
        quantity: *quantity,
    };
    ReserveRequest {
        order_id: order_id.into(),
        lines: lines.iter().map(line).collect(),
        expire_time: Some(mesh::clock::timestamp(now + 900_000_000)),
    }
}

/// An active product without options.
pub(crate) fn simple(handle: &str) -> Product {
    Product {
        handle: handle.into(),
        title: handle.replace('-', " "),
        status: Sale::Active.into(),
        variants: vec![variant(&[], 1000)],
        ..Product::default()
    }
}

/// An active product in sizes.
pub(crate) fn sized(handle: &str, sizes: &[&str]) -> Product {
    let values = sizes.iter().map(|size| (*size).into()).collect();
    Product {
        options: vec![Choice { name: "Size".into(), values }],
        variants: sizes.iter().map(|size| variant(&[size], 1000)).collect(),
        ..simple(handle)
    }
}

pub(crate) fn variant(option_values: &[&str], minor: i64) -> Variant {
    Variant {
        option_values: option_values.iter().map(|value| (*value).into()).collect(),
        price: Some(Money::new(minor, "EUR")),
        ..Variant::default()
    }
}

/// The code and the reason of a refusal.
pub(crate) fn verdict<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.expect_err("it is refused");
    let reason = reason(&status);
    (status.code(), reason)
}

fn reason(status: &Status) -> String {
    use tonic_types::StatusExt;
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}
