//! How a service remembers: SQLite or PostgreSQL, one SQL text for both.
//!
//! A [`Store`] is opened once for each service. A call reads through a [`Reader`] and changes things
//! through a [`Tx`], which writes the resource, its audit record, its events, its tasks and the
//! stored answer of the call together, or nothing of it. A [`Runner`] does the tasks and hands
//! the events on; a [`Consumer`] takes in those of other services, each once.
//!
//! ```no_run
//! # use contract::Resource;
//! # use mesh::{Request, Response, Status};
//! # use store::{Store, Task};
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # struct Refund { order: String }
//! # impl Task for Refund { const KIND: &'static str = "refund"; }
//! # trait Cancel { fn cancel(self) -> Self; }
//! # #[expect(clippy::result_large_err, reason = "tonic's")]
//! async fn cancel<Order: Resource + Cancel + 'static>(
//!     store: &Store,
//!     request: Request<String>,
//! ) -> Result<Response<Order>, Status> {
//!     let mut tx = store.begin(&request).await?; // a repeat of the call leaves here, with its answer
//!     let order: Order = tx.get(request.get_ref()).await?; // of this project and owner, or NOT_FOUND
//!     let order = tx.update(&order.cancel()).await?; // a stale etag: ABORTED
//!     tx.start(Refund { order: order.id().to_owned() })?; // a task, in this transaction
//!     Ok(tx.answer(order).await?) // all of it together, or nothing
//! }
//! ```
//!
//! Invariant: every statement of a call binds its project; the store knows no domain.

mod agenda;
mod ahead;
mod audit;
mod backlog;
pub mod backup;
mod bells;
mod connection;
mod consumer;
mod database;
mod driven;
mod error;
mod examine;
mod forget;
mod group;
mod idle;
mod keys;
mod lease;
mod list;
mod metrics;
mod migrate;
mod operators;
mod outbox;
mod outgoing;
mod pace;
mod perform;
mod pool;
mod priority;
mod publisher;
mod query;
mod reader;
mod resources;
mod rows;
mod runner;
mod schedule;
mod scheduler;
mod schema;
mod seal;
mod statement;
mod store;
mod table;
mod tasks;
mod tx;
mod waiting;
mod work;

pub use consumer::Consumer;
pub use database::{DEFAULT_CONNECTIONS, Database};
pub use driven::Driven;
pub use error::{Error, UnscopedStatement};
pub use examine::Examined;
pub use lease::{Claim, DEFAULT_TASK_LEASE};
pub use list::{List, Page};
pub use metrics::Metrics;
pub use migrate::Migration;
pub use pace::{Keep, Pace};
pub use priority::Priority;
pub use query::{Query, Select};
pub use reader::Reader;
pub use runner::Runner;
pub use schedule::Schedule;
pub use schema::Schema;
pub use statement::{Bind, FromColumn, Row};
pub use store::{Config, Store};
pub use table::columns;
pub use tasks::{DeadTask, Task};
pub use tx::Tx;
