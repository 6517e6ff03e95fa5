//! What the replicas of a mesh share through Redis.
//!
//! Everything here has a way without Redis, which is taken whenever it does not answer: losing it slows things
//! and breaks nothing. A Redis Cluster is not served: a script reaches several keys.

mod answers;
mod breaker;
mod budgets;
mod changes;
mod connection;
mod error;
mod events;
mod examine;
mod locks;
mod metrics;
mod presence;

pub use changes::share_changes;
pub use connection::Redis;
pub use error::Error;
pub use events::{Bus, consume};
pub use examine::Examined;
