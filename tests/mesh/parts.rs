//! Every service of the mesh, in this process.

use harness::{Part, part};
use mesh::Faults;

/// What each service consumes.
pub(crate) const CONSUMES: [(&str, &[&str]); 7] = [
    (users::NAME, users::CONSUMES),
    (catalog::NAME, catalog::CONSUMES),
    (cart::NAME, cart::CONSUMES),
    (orders::NAME, orders::CONSUMES),
    (payments::NAME, payments::CONSUMES),
    (ledger::NAME, ledger::CONSUMES),
    (notifications::NAME, notifications::CONSUMES),
];

/// Every service, as the node puts them together.
pub(crate) fn parts() -> Vec<Part> {
    vec![
        part(users::NAME, users::MIGRATIONS, users::CONSUMES, |store, mesh| {
            users::service(users::Config::default(), store, mesh)
        }),
        part(catalog::NAME, catalog::MIGRATIONS, catalog::CONSUMES, |store, mesh| {
            catalog::service(catalog::Config { index: None }, store, mesh)
        }),
        part(cart::NAME, cart::MIGRATIONS, cart::CONSUMES, |store, mesh| {
            cart::service(cart::Config::default(), store, mesh)
        }),
        part(orders::NAME, orders::MIGRATIONS, orders::CONSUMES, |store, mesh| {
            orders::service(store, mesh, Faults::none())
        }),
        part(payments::NAME, payments::MIGRATIONS, payments::CONSUMES, |store, mesh| {
            payments::service(payments::Config::default(), store, mesh)
        }),
        part(ledger::NAME, ledger::MIGRATIONS, ledger::CONSUMES, ledger::service),
        part(
            notifications::NAME,
            notifications::MIGRATIONS,
            notifications::CONSUMES,
            |store, mesh| {
                let config = notifications::Config::new(None, "shop@example.com").unwrap();
                notifications::service(config, store, mesh)
            },
        ),
    ]
}
