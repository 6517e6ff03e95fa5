//! How a service remembers: SQLite or PostgreSQL, one SQL text for both.
//!
//! A [`Store`] is opened once for each service. A call reads through a [`Reader`] and changes things
//! through a [`Tx`], which writes the resource, its audit record, its events, its tasks and the
//! stored answer of the call together, or nothing of it. A [`Runner`] does the tasks and hands
//! the events on; a [`Consumer`] takes in those of other services, each once.
//!
//! Invariant: every statement of a call binds its project; the store knows no domain.

mod audit;
mod connection;
mod consumer;
mod database;
mod error;
mod keys;
mod list;
mod migrate;
mod outbox;
mod pool;
mod publisher;
mod query;
mod reader;
mod resources;
mod rows;
mod runner;
mod statement;
mod store;
mod table;
mod tasks;
mod tx;

pub use audit::{AuditQuery, AuditRecord};
pub use consumer::Consumer;
pub use database::{DEFAULT_CONNECTIONS, Database};
pub use error::{Error, UnscopedStatement};
pub use list::{List, Page};
pub use migrate::Migration;
pub use query::{Query, Select};
pub use reader::Reader;
pub use runner::Runner;
pub use statement::{Bind, FromColumn, Row};
pub use store::{Config, Store};
pub use table::columns;
pub use tasks::{Claim, DeadTask, Task};
pub use tx::Tx;
