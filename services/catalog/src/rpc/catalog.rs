//! `CatalogService`, answered.

use std::sync::Arc;

use mesh::{HasContext, Request, Response, Status, async_trait};
use store::{List, Store, Tx};
use tradewind::catalog::v1::catalog_service_server::CatalogService;
use tradewind::catalog::v1::{
    ArchiveProductRequest, BatchGetVariantsRequest, BatchGetVariantsResponse, Category,
    CreateCategoryRequest, CreateProductRequest, DeleteCategoryRequest, GetProductRequest,
    ImportProductsRequest, ImportProductsResponse, ListCategoriesRequest, ListCategoriesResponse,
    ListProductsRequest, ListProductsResponse, Product, SearchProductsRequest,
    SearchProductsResponse, UpdateCategoryRequest, UpdateProductRequest,
};

use crate::error::Error;
use crate::import;
use crate::search::{self, Search};
use crate::store::{categories, changes, products as sql};
use crate::{category, product};

/// Lets a caller see what is not public.
const READ: &str = "catalog.read";

/// Answers for products and categories.
pub(crate) struct Catalog {
    pub(crate) store: Store,
    pub(crate) search: Option<Arc<Search>>,
}

#[async_trait]
impl CatalogService for Catalog {
    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let reader = self.store.read(&request);
        let sees_all = request.context().caller.may(READ);
        let id = request.into_inner().id;
        let found = match reader.find::<Product>(&id).await? {
            Some(product) => Some(product),
            None => sql::by_handle(&reader, &id).await?,
        };
        let visible = found.filter(|product| sees_all || product::is_public(product));
        Ok(Response::new(visible.ok_or(Error::ProductNotFound(id))?))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let reader = self.store.read(&request);
        let sees_all = request.context().caller.may(READ);
        let ListProductsRequest { page_size, page_token, filter, order_by } = request.into_inner();
        let filter = if sees_all { filter } else { product::public_filter(&filter) };
        let list = List { page_size, page_token, filter, order_by };
        let mut page = reader.list::<Product>(&list).await?;
        // Whatever a filter may say, nobody is shown more.
        page.items.retain(|product| sees_all || product::is_public(product));
        let next_page_token = page.next_page_token;
        Ok(Response::new(ListProductsResponse { products: page.items, next_page_token }))
    }

    async fn search_products(
        &self,
        request: Request<SearchProductsRequest>,
    ) -> Result<Response<SearchProductsResponse>, Status> {
        let search = self.search.as_ref().ok_or(Error::NoSearch)?;
        let reader = self.store.read(&request);
        let project = request.context().caller.project().to_owned();
        let answer = search::answer(search, &reader, &project, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn batch_get_variants(
        &self,
        request: Request<BatchGetVariantsRequest>,
    ) -> Result<Response<BatchGetVariantsResponse>, Status> {
        let reader = self.store.read(&request);
        let sees_all = request.context().caller.may(READ);
        let ids = request.into_inner().ids;
        let asked: Vec<_> = ids.iter().map(String::as_str).collect();
        let known = sql::offers(&reader, &asked).await?;
        let offered = ids.iter().filter_map(|id| known.get(id));
        let visible = offered.filter(|offered| sees_all || offered.status != product::DRAFT);
        let offers = visible.map(|offered| offered.offer.clone()).collect();
        Ok(Response::new(BatchGetVariantsResponse { offers }))
    }

    async fn create_product(
        &self,
        request: Request<CreateProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let product = request.into_inner().product.unwrap_or_default();
        let product = product::new(product, || self.store.ids().next("var"))?;
        stands_in(&mut tx, &product).await?;

        let product = tx.insert(product).await?;
        keep(&mut tx, None, &product).await?;
        Ok(tx.answer(product).await?)
    }

    async fn update_product(
        &self,
        request: Request<UpdateProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let product = request.into_inner().product.unwrap_or_default();

        let was: Product = tx.get(&product.id).await?;
        let product = product::changed(&was, product, || self.store.ids().next("var"))?;
        stands_in(&mut tx, &product).await?;
        let product = tx.update(&product).await?;
        keep(&mut tx, Some(&was), &product).await?;
        Ok(tx.answer(product).await?)
    }

    async fn archive_product(
        &self,
        request: Request<ArchiveProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let was: Product = tx.get(&request.into_inner().id).await?;

        let product = tx.update(&product::archived(was.clone())).await?;
        keep(&mut tx, Some(&was), &product).await?;
        Ok(tx.answer(product).await?)
    }

    async fn import_products(
        &self,
        request: Request<ImportProductsRequest>,
    ) -> Result<Response<ImportProductsResponse>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let results = import::import(&mut tx, &self.store, request.into_inner()).await?;
        Ok(tx.answer(ImportProductsResponse { results }).await?)
    }

    async fn create_category(
        &self,
        request: Request<CreateCategoryRequest>,
    ) -> Result<Response<Category>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let category = category::new(request.into_inner().category.unwrap_or_default());
        let parent = &category.parent_id;
        // Held, so that nobody deletes it meanwhile.
        if !parent.is_empty() && tx.find::<Category>(parent).await?.is_none() {
            return Err(Error::UnknownParent(parent.clone()).into());
        }

        let category = tx.insert(category).await?;
        Ok(tx.answer(category).await?)
    }

    async fn update_category(
        &self,
        request: Request<UpdateCategoryRequest>,
    ) -> Result<Response<Category>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let category = request.into_inner().category.unwrap_or_default();

        let tree = categories::hold_all(&mut tx).await?;
        let category = tx.update(&category::changed(&tree, category)?).await?;
        Ok(tx.answer(category).await?)
    }

    async fn list_categories(
        &self,
        request: Request<ListCategoriesRequest>,
    ) -> Result<Response<ListCategoriesResponse>, Status> {
        let categories = categories::all(&self.store.read(&request)).await?;
        let categories = category::ordered(categories);
        Ok(Response::new(ListCategoriesResponse { categories }))
    }

    async fn delete_category(
        &self,
        request: Request<DeleteCategoryRequest>,
    ) -> Result<Response<()>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let category: Category = tx.get(&request.into_inner().id).await?;

        let (children, products) = categories::contents(&mut tx, &category.id).await?;
        if children + products > 0 {
            return Err(Error::CategoryNotEmpty { id: category.id, children, products }.into());
        }
        tx.delete::<Category>(&category.id, &category.etag).await?;
        Ok(tx.answer(()).await?)
    }
}

/// Refuses a product in a category that there is not.
async fn stands_in(tx: &mut Tx, product: &Product) -> Result<(), Error> {
    let ids: Vec<_> = product.category_ids.iter().map(String::as_str).collect();
    let known = categories::existing(tx, &ids).await?;
    product::stands_in(product, &known)
}

/// Keeps what else is asked of a product that has changed, and says that it has.
async fn keep(tx: &mut Tx, was: Option<&Product>, now: &Product) -> Result<(), Error> {
    if was.is_some_and(|was| was.etag == now.etag) {
        return Ok(());
    }
    sql::keep(tx, &[(was, now)]).await?;
    Ok(changes::note(tx, &[&now.id], &[]).await?)
}
