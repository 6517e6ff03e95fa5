//! Orders, from placement to delivery.
//!
//! Invariant: an order's processes (checkout, cancelling, refunding) are driven by tasks that were
//! written with the order's own state; whoever drives one can stop anywhere, and another resumes it.
//! Invariant: nothing is known of stock or money but what their services answered.

mod audit;
mod cancelling;
mod checkout;
mod error;
mod events;
mod expiry;
mod gather;
mod guest;
mod order;
mod orders;
mod process;
mod progress;
mod refunding;
mod rpc;
mod sagas;
mod store;
mod totals;

use ::store::{Migration, Store};
use mesh::{Faults, Mesh};
use tradewind::orders::v1::orders_service_server::OrdersServiceServer;
use tradewind::orders::v1::sagas_service_server::SagasServiceServer;

use crate::orders::Orders;

/// The noun that this service is called by, everywhere.
pub const NAME: &str = "orders";

/// The tables, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration::new("0001_orders", include_str!("../migrations/0001_orders.sql")),
    Migration::new("0002_sagas", include_str!("../migrations/0002_sagas.sql")),
];

/// The services that it calls.
pub const CALLS: &[&str] = &["cart", "catalog", "payments", "users"];

/// The events that it consumes.
pub const CONSUMES: &[&str] = &["tradewind.payments.v1.PaymentChanged"];

/// Every point at which a process of this service can be made to stand still: `<process>/<step>`.
#[must_use]
pub fn points() -> Vec<String> {
    [checkout::points(), cancelling::points(), refunding::points()].concat()
}

/// Every kind of process of this service, with its steps and what takes each back.
#[must_use]
pub fn kinds() -> Vec<tradewind::orders::v1::SagaKind> {
    sagas::kinds()
}

/// The service, over its store.
#[must_use]
pub fn service(store: Store, mesh: &Mesh, faults: Faults) -> mesh::Service {
    let orders = Orders::new(store, mesh, faults);
    let runner = expiry::tasks(
        refunding::tasks(
            cancelling::tasks(checkout::tasks(orders.store.runner(), &orders), &orders),
            &orders,
        ),
        &orders,
    );
    let watch = sagas::Watch::new(&orders, mesh);
    mesh::Service::new(NAME)
        .answer(OrdersServiceServer::new(rpc::Rpc { orders: orders.clone() }))
        .answer(SagasServiceServer::new(sagas::Rpc { orders: orders.clone() }))
        .consume(events::consumer(&orders))
        .work(move |stop| runner.run(stop))
        .work(move |stop| watch.run(stop))
}
