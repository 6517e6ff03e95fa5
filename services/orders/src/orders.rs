//! What every part of this service works with.

use mesh::{Faults, HasContext, Mesh, Outgoing, Peer};
use store::Store;
use tradewind::cart::v1::cart_service_client::CartServiceClient;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::payments::v1::payments_service_client::PaymentsServiceClient;
use tradewind::users::v1::users_service_client::UsersServiceClient;

use crate::NAME;
use crate::progress::Drives;

/// The store, and the services that orders are made with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Orders {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    /// The processes that run in this very process.
    pub(crate) drives: Drives,
    cart: Peer,
    catalog: Peer,
    payments: Peer,
    users: Peer,
}

impl Orders {
    pub(crate) fn new(store: Store, mesh: &Mesh, faults: Faults) -> Self {
        let peer = |name| mesh.peer(NAME, name);
        Self {
            store,
            faults,
            drives: Drives::default(),
            cart: peer("cart"),
            catalog: peer("catalog"),
            payments: peer("payments"),
            users: peer("users"),
        }
    }

    pub(crate) fn cart(&self, from: &impl HasContext) -> CartServiceClient<Outgoing> {
        CartServiceClient::new(self.cart.as_service(from))
    }

    pub(crate) fn catalog(&self, from: &impl HasContext) -> CatalogServiceClient<Outgoing> {
        CatalogServiceClient::new(self.catalog.as_service(from))
    }

    pub(crate) fn stock(&self, from: &impl HasContext) -> StockServiceClient<Outgoing> {
        StockServiceClient::new(self.catalog.as_service(from))
    }

    pub(crate) fn payments(&self, from: &impl HasContext) -> PaymentsServiceClient<Outgoing> {
        PaymentsServiceClient::new(self.payments.as_service(from))
    }

    /// Calls users as the caller: an account is asked for by its own holder.
    pub(crate) fn users(&self, from: &impl HasContext) -> UsersServiceClient<Outgoing> {
        UsersServiceClient::new(self.users.of(from))
    }
}
