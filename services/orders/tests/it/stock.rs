//! A catalog in memory: what is sold at what price, how many there are, who holds them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use mesh::{Code, Detail, Request, Response, Status, async_trait};
use tradewind::catalog::v1::catalog_service_server::CatalogService;
use tradewind::catalog::v1::reservation::State;
use tradewind::catalog::v1::stock_service_server::StockService;
use tradewind::catalog::v1::{self as catalog, Reservation, ReserveRequest, Variant, VariantOffer};
use tradewind::money::v1::Money;

use crate::breaks::{Breaks, not_here, refuse};

/// A catalog in memory. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) breaks: Breaks,
    shelves: Arc<Mutex<Shelves>>,
}

#[derive(Default)]
struct Shelves {
    offers: HashMap<String, VariantOffer>,
    on_hand: HashMap<String, i64>,
    reservations: BTreeMap<String, Reservation>,
}

impl Catalog {
    /// Sells a variant at a price, and puts so many on the shelf.
    pub(crate) fn sell(&self, variant_id: &str, price_minor: i64, taxable: bool, on_hand: i64) {
        let variant = Variant {
            id: variant_id.into(),
            price: Some(Money::new(price_minor, "EUR")),
            option_values: vec!["Small".into()],
            sku: format!("sku-{variant_id}"),
            taxable,
            ..Variant::default()
        };
        let offer = VariantOffer {
            variant: Some(variant),
            product_id: "prd_1".into(),
            product_title: "Shirt".into(),
            sold: true,
            available: None,
        };
        let mut shelves = self.shelves.lock().unwrap();
        shelves.offers.insert(variant_id.into(), offer);
        shelves.on_hand.insert(variant_id.into(), on_hand);
    }

    /// How many lie on the shelf, and how many of those orders hold.
    pub(crate) fn level(&self, variant_id: &str) -> (i64, i64) {
        let shelves = self.shelves.lock().unwrap();
        (shelves.on_hand[variant_id], shelves.held(variant_id))
    }

    /// What an order's reservation is.
    pub(crate) fn reservation(&self, order_id: &str) -> Option<State> {
        self.shelves.lock().unwrap().reservations.get(order_id).map(Reservation::state)
    }
}

impl Shelves {
    fn held(&self, variant_id: &str) -> i64 {
        let held = self.reservations.values().filter(|held| held.state() == State::Held);
        let lines = held.flat_map(|held| &held.lines);
        lines.filter(|line| line.variant_id == variant_id).map(|line| line.quantity).sum()
    }

    fn reserve(&mut self, asked: ReserveRequest) -> Result<Reservation, Status> {
        if let Some(held) = self.reservations.get(&asked.order_id) {
            let same = held.lines == asked.lines;
            let differs = || refuse(Code::FailedPrecondition, "RESERVATION_EXISTS", "other lines");
            return if same { Ok(held.clone()) } else { Err(differs()) };
        }
        let mut detail = Detail::default();
        for line in &asked.lines {
            let available = self.on_hand[&line.variant_id] - self.held(&line.variant_id);
            if available < line.quantity {
                let (id, description) = (line.variant_id.clone(), format!("{available} available"));
                detail.metadata.push((id.clone(), available.to_string()));
                detail.preconditions.push(("OUT_OF_STOCK".into(), id, description));
            }
        }
        if !detail.preconditions.is_empty() {
            let (code, domain) = (Code::FailedPrecondition, "catalog.tradewind");
            return Err(mesh::refuse(code, domain, "OUT_OF_STOCK", "there are too few", detail));
        }
        let ReserveRequest { order_id, lines, expire_time } = asked;
        let reservation = Reservation {
            id: order_id.clone(),
            state: State::Held.into(),
            lines,
            expire_time,
            ..Reservation::default()
        };
        self.reservations.insert(order_id, reservation.clone());
        Ok(reservation)
    }

    /// Takes what is held off the shelves, or gives it back; what has left is put on the shelves again.
    fn step(&mut self, order_id: &str, next: State) -> Result<Reservation, Status> {
        let Some(reservation) = self.reservations.get_mut(order_id) else {
            return Err(refuse(Code::NotFound, "RESERVATION_NOT_FOUND", "nothing is held"));
        };
        let sign = match (reservation.state(), next) {
            (was, next) if was == next => return Ok(reservation.clone()),
            (State::Held, State::Committed) => -1,
            (State::Committed, State::Released) => 1,
            (State::Held, State::Released) => 0,
            _ => return Err(refuse(Code::FailedPrecondition, "RESERVATION_RELEASED", "too late")),
        };
        reservation.set_state(next);
        let reservation = reservation.clone();
        for line in &reservation.lines {
            *self.on_hand.get_mut(&line.variant_id).unwrap() += sign * line.quantity;
        }
        Ok(reservation)
    }
}

macro_rules! catalog {
    ($($rpc:ident($request:ident) -> $answer:ty;)*) => {
        #[async_trait]
        impl CatalogService for Catalog {
            async fn batch_get_variants(
                &self,
                request: Request<catalog::BatchGetVariantsRequest>,
            ) -> Result<Response<catalog::BatchGetVariantsResponse>, Status> {
                let shelves = self.shelves.lock().unwrap();
                let ids = request.into_inner().ids;
                let offers = ids.iter().filter_map(|id| shelves.offers.get(id).cloned()).collect();
                self.breaks.answer("BatchGetVariants", || {
                    Ok(catalog::BatchGetVariantsResponse { offers })
                })
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

catalog! {
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

#[async_trait]
impl StockService for Catalog {
    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let effect = || self.shelves.lock().unwrap().reserve(request.into_inner());
        self.breaks.answer("Reserve", effect)
    }

    async fn commit_reservation(
        &self,
        request: Request<catalog::CommitReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let order_id = request.into_inner().order_id;
        let effect = || self.shelves.lock().unwrap().step(&order_id, State::Committed);
        self.breaks.answer("CommitReservation", effect)
    }

    async fn release_reservation(
        &self,
        request: Request<catalog::ReleaseReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let order_id = request.into_inner().order_id;
        let effect = || self.shelves.lock().unwrap().step(&order_id, State::Released);
        self.breaks.answer("ReleaseReservation", effect)
    }

    async fn get_stock(
        &self,
        _: Request<catalog::GetStockRequest>,
    ) -> Result<Response<catalog::StockLevel>, Status> {
        not_here()
    }

    async fn set_stock(
        &self,
        _: Request<catalog::SetStockRequest>,
    ) -> Result<Response<catalog::StockLevel>, Status> {
        not_here()
    }

    async fn list_stock_movements(
        &self,
        _: Request<catalog::ListStockMovementsRequest>,
    ) -> Result<Response<catalog::ListStockMovementsResponse>, Status> {
        not_here()
    }

    async fn audit_reservations(
        &self,
        _: Request<catalog::AuditReservationsRequest>,
    ) -> Result<Response<catalog::AuditReservationsResponse>, Status> {
        not_here()
    }

    async fn verify_stock(
        &self,
        _: Request<catalog::VerifyStockRequest>,
    ) -> Result<Response<catalog::VerifyStockResponse>, Status> {
        not_here()
    }
}
