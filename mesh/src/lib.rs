//! How services meet: channels, layers, serving, identity, policy, health, telemetry.
//!
//! A process makes one [`Mesh`] from its contracts, hands it the [`Service`]s that run here, and
//! serves them. A service calls another through a [`Peer`] and cannot tell where it runs.
//!
//! Invariant: the mesh knows no domain; what it must know of an RPC, it reads from the contract.

mod access;
pub mod admin;
pub mod admission;
mod audit;
pub mod bus;
pub mod caller;
mod callers;
pub mod changes;
pub mod channel;
pub mod channelz;
pub mod chaos;
pub mod clock;
pub mod context;
mod counted;
pub mod deadline;
mod events;
pub mod failure;
pub mod faults;
mod framing;
pub mod health;
pub mod identity;
pub mod ids;
pub mod limits;
pub mod locks;
mod mesh;
pub mod metrics;
mod outbox;
pub mod policy;
pub mod presence;
pub mod replay;
pub mod replicas;
pub mod serve;
mod server;
pub mod service;
pub mod service_token;
pub mod signing;
mod spawn;
mod tasks;
pub mod telemetry;
pub mod tls;
pub mod trace;
pub mod trust;

pub use access::IDEMPOTENCY_KEY;
pub use audit::Auditor;
pub use bus::{Bus, Consumer};
pub use caller::{Caller, Principal};
pub use callers::Callers;
pub use changes::Changes;
pub use channel::{Channel, Configs, Outgoing, Peer, ServiceConfig, Target};
pub use chaos::Chaos;
pub use clock::Clock;
pub use context::{Context, HasContext};
pub use events::{Intake, Subscriptions};
pub use failure::{Detail, Failure, Refusal, refuse, status};
pub use faults::Faults;
pub use ids::Ids;
pub use locks::{Lock, Locks};
pub use mesh::{Config, ConfigError, Mesh};
pub use outbox::Outbox;
pub use replay::{KeepsRefusal, Replay};
pub use replicas::Shared;
pub use service::{Consumers, Service};
pub use tasks::Tasks;
pub use trace::Trace;

pub use async_trait::async_trait;
pub use tokio_util::sync::CancellationToken;
pub use tonic::{Code, Request, Response, Status};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
