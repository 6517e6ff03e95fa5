//! How a Rust program calls a mesh: a service of its own, a job, a command.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use tradewind::catalog::v1::SearchProductsRequest;
//! use tradewind_client::{Client, Session};
//!
//! let anyone = Client::connect("http://127.0.0.1:8080").await?;
//! let guest = anyone.signed_in(Arc::new(Session::guest(&anyone).await?));
//! let request = SearchProductsRequest { query: "shirt".into(), ..Default::default() };
//! let found = guest.catalog().search_products(request).await?.into_inner();
//! # Ok(())
//! # }
//! ```
//!
//! A service of its own shows itself with a certificate of the mesh's authority, or with its key, and may make the calls that are for services:
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::HashMap;
//!
//! use tradewind_client::{Client, Identity, Shown};
//!
//! let mesh = Client::service(Identity {
//!     name: "pricing",
//!     shown: Shown::Certificate("certs".into()),
//!     at: HashMap::from([("catalog", "dns:///catalog:7000".into())]),
//! })?;
//! let stock = mesh.in_project("bakery").stock();
//! # Ok(())
//! # }
//! ```
//!
//! Every call has the deadline of its contract or an earlier one, which travels with it; it is tried
//! again where the contract says that this is safe, with the same idempotency key; it is a child of the
//! current `tracing` span; and it carries an access token that is refreshed before it ends.
//!
//! Invariant: what is safe to repeat is read from the contracts, never listed here.

mod attempt;
mod call;
mod client;
mod retry;
pub mod session;
mod transport;

pub use client::{Client, ConnectError};
pub use retry::Retry;
pub use session::{Session, TokenSource};
pub use transport::{Identity, Shown};

pub use mesh::{Channel, Code, Status};
