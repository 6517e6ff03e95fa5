//! The catalog as its callers see it, on both databases.

mod categories;
mod import;
mod ledger;
mod offers;
mod products;
mod search;
mod shop;
mod stock;
