//! A mesh in this process, at a port of its own.

use std::collections::HashMap;
use std::num::NonZeroU32;

use anyhow::Result;
use mesh::limits::Limits;
use mesh::{CancellationToken, Clock, Mesh, Service};
use tokio_util::task::TaskTracker;

use crate::contracts;

/// A mesh that knows the suites' contracts, with services in it, or with where they are.
pub(crate) fn mesh(
    services: Vec<Service>,
    elsewhere: HashMap<&'static str, String>,
    stop: &CancellationToken,
) -> Result<Mesh> {
    let config = mesh::Config {
        descriptors: vec![contract::DESCRIPTORS, contracts::DESCRIPTORS],
        roles: mesh::identity::Roles::default(),
        elsewhere,
        calls: mesh::Configs::default(),
        subscriptions: HashMap::new(),
        service_key: None,
        identities: None,
        callers: mesh::Callers::default(),
        limits: unlimited(),
        clock: Clock::system(),
        process: "conformance",
    };
    let mesh = Mesh::new(config)?;
    mesh.run(services, stop, &TaskTracker::new())?;
    Ok(mesh)
}

/// The suites call from one address, faster than any customer.
fn unlimited() -> Limits {
    let most = NonZeroU32::MAX;
    Limits {
        reads_per_second: most,
        writes_per_second: most,
        credentials_per_minute: most,
        at_once: None,
    }
}

/// Ends when whoever started this process is gone, or has closed its standard input.
pub(crate) async fn until_left() {
    let left = || std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    // Whether it ended or broke, nobody is there any longer.
    let _ = tokio::task::spawn_blocking(left).await;
}
