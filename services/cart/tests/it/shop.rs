//! A shop of one cart service and a shelf that answers for the catalog.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cart::Config;
use harness::{Engine, Harness, part};
use mesh::{Code, Context, Detail, Outgoing, Request, Response, Status, async_trait};
use tonic_types::StatusExt;
use tradewind::cart::v1::cart_service_client::CartServiceClient;
use tradewind::cart::v1::{AddLineRequest, Cart, CartLine, GetCartRequest};
use tradewind::catalog::v1::catalog_service_server::{CatalogService, CatalogServiceServer};
use tradewind::catalog::v1::{self as catalog, Variant, VariantOffer};
use tradewind::money::v1::Money;

/// What is sold, by variant.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    offers: Arc<Mutex<HashMap<String, VariantOffer>>>,
}

impl Shelf {
    /// Sells a variant; `available` is how many there are, where they are counted.
    pub(crate) fn sell(&self, variant_id: &str, price_minor: i64, available: Option<i64>) {
        let price = Some(Money::new(price_minor, "EUR"));
        let option_values = vec!["Small".to_owned()];
        let id = variant_id.to_owned();
        let offer = VariantOffer {
            variant: Some(Variant { id, option_values, price, ..Variant::default() }),
            product_id: "prd_1".into(),
            product_title: "Shirt".into(),
            sold: true,
            available,
        };
        self.offers.lock().unwrap().insert(variant_id.into(), offer);
    }

    /// Takes a variant from sale.
    pub(crate) fn archive(&self, variant_id: &str) {
        if let Some(offer) = self.offers.lock().unwrap().get_mut(variant_id) {
            offer.sold = false;
        }
    }
}

fn not_here<T>() -> Result<T, Status> {
    let detail = Detail::default();
    Err(mesh::refuse(Code::Unimplemented, "shelf", "NOT_HERE", "a shelf only offers", detail))
}

macro_rules! not_on_a_shelf {
    ($($rpc:ident($request:ident) -> $answer:ty;)*) => {
        #[async_trait]
        impl CatalogService for Shelf {
            async fn batch_get_variants(
                &self,
                request: Request<catalog::BatchGetVariantsRequest>,
            ) -> Result<Response<catalog::BatchGetVariantsResponse>, Status> {
                let known = self.offers.lock().unwrap();
                let ids = request.into_inner().ids;
                let offers = ids.iter().filter_map(|id| known.get(id).cloned()).collect();
                Ok(Response::new(catalog::BatchGetVariantsResponse { offers }))
            }

            $(async fn $rpc(
                &self,
                _: Request<catalog::$request>,
            ) -> Result<Response<$answer>, Status> {
                not_here()
            })*
        }
    };
}

not_on_a_shelf! {
    get_product(GetProductRequest) -> catalog::Product;
    list_products(ListProductsRequest) -> catalog::ListProductsResponse;
    search_products(SearchProductsRequest) -> catalog::SearchProductsResponse;
    create_product(CreateProductRequest) -> catalog::Product;
    update_product(UpdateProductRequest) -> catalog::Product;
    archive_product(ArchiveProductRequest) -> catalog::Product;
    import_products(ImportProductsRequest) -> catalog::ImportProductsResponse;
    create_category(CreateCategoryRequest) -> catalog::Category;
    list_categories(ListCategoriesRequest) -> catalog::ListCategoriesResponse;
    update_category(UpdateCategoryRequest) -> catalog::Category;
    delete_category(DeleteCategoryRequest) -> ();
}

/// A running cart service beside a shelf.
pub(crate) struct Shop {
    pub(crate) harness: Harness,
    pub(crate) shelf: Shelf,
}

impl Shop {
    pub(crate) async fn open(engine: Engine) -> Self {
        Self::with(engine, Config::default()).await
    }

    pub(crate) async fn with(engine: Engine, config: Config) -> Self {
        let shelf = Shelf::default();
        let answers = shelf.clone();
        let catalog = part("catalog", &[], &[], move |_, _| {
            mesh::Service::new("catalog").answer(CatalogServiceServer::new(answers))
        });
        let cart = part(cart::NAME, cart::MIGRATIONS, cart::CONSUMES, move |store, mesh| {
            cart::service(config, store, mesh)
        });
        let harness = Harness::start(engine, vec![catalog, cart]).await;
        Self { harness, shelf }
    }

    pub(crate) fn cart(&self, of: &Context) -> CartServiceClient<Outgoing> {
        CartServiceClient::new(self.harness.peer("cart").of(of))
    }

    pub(crate) async fn add(
        &self,
        of: &Context,
        variant_id: &str,
        quantity: i64,
    ) -> Result<CartLine, Status> {
        let request = AddLineRequest { variant_id: variant_id.into(), quantity };
        Ok(self.cart(of).add_line(request).await?.into_inner())
    }

    pub(crate) async fn get(&self, of: &Context) -> Cart {
        self.cart(of).get_cart(GetCartRequest {}).await.unwrap().into_inner()
    }

    /// What is in a cart, by variant.
    pub(crate) async fn quantities(&self, of: &Context) -> Vec<(String, i64)> {
        let lines = self.get(of).await.lines.into_iter();
        let mut quantities: Vec<_> = lines.map(|line| (line.variant_id, line.quantity)).collect();
        quantities.sort();
        quantities
    }
}

/// What is expected of [`Shop::quantities`].
pub(crate) fn in_it(lines: &[(&str, i64)]) -> Vec<(String, i64)> {
    lines.iter().map(|(variant_id, quantity)| ((*variant_id).to_owned(), *quantity)).collect()
}

/// The code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    let reason = status.get_details_error_info().map(|info| info.reason);
    (status.code(), reason.unwrap_or_default())
}
