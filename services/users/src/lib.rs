//! Accounts, sessions, the keys that sign tokens, and projects.
//!
//! Invariant: a password, its hash, a refresh token and a private key never leave; what goes out of
//! them is a token that is signed, or a token that is said once and kept as its hash.
//! Invariant: an unknown address and a wrong password fail alike, by the same steps.

mod accounts;
mod beginning;
mod config;
mod error;
mod keys;
mod login;
mod login_failures;
mod password;
mod password_threads;
mod project;
mod projects;
mod roles;
mod rpc;
mod session;
mod sessions;
mod store;
mod sweep;
mod token;
mod users;

use std::sync::Arc;

use ::store::{Migration, Store};
use mesh::Mesh;
use tradewind::users::v1::users_service_server::UsersServiceServer;

pub use config::{Bootstrap, Config, FirstPassword, Hashing, Lifetimes, Throttle};

use crate::users::Users;

/// The noun that this service is called by, everywhere.
pub const NAME: &str = "users";

/// The tables, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration::new("0001_users", include_str!("../migrations/0001_users.sql")),
    Migration::new("0002_first_passwords", include_str!("../migrations/0002_first_passwords.sql")),
];

/// The services that it calls.
pub const CALLS: &[&str] = &[];

/// The events that it consumes.
pub const CONSUMES: &[&str] = &[];

/// The service, over its store.
#[must_use]
pub fn service(config: Config, store: Store, mesh: &Mesh) -> mesh::Service {
    let users = Arc::new(Users::new(config, store, Arc::clone(mesh.trust())));
    let runner = sweep::sweeps(users.store.runner(), &users);
    let rpc = rpc::Rpc { users: Arc::clone(&users) };
    mesh::Service::new(NAME).answer(UsersServiceServer::new(rpc)).work(move |stop| async move {
        if let Err(error) = users.begin().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "users could not begin; the next call or sweep tries again");
        }
        runner.run(stop).await;
    })
}
