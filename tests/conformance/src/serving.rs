//! A mesh in this process, at a port of its own.

use std::collections::HashMap;

use anyhow::Result;
use mesh::limits::Limits;
use mesh::{CancellationToken, Mesh, Service};
use tokio_util::task::TaskTracker;

use crate::contracts;

/// A mesh that knows the suites' contracts, with services in it, or with where they are.
pub(crate) fn mesh(
    services: Vec<Service>,
    elsewhere: HashMap<&'static str, String>,
    stop: &CancellationToken,
) -> Result<Mesh> {
    let mesh = Mesh::new(mesh::Config {
        elsewhere,
        // The suites call from one address, faster than any customer.
        limits: Limits::unlimited(),
        ..mesh::Config::new("conformance", vec![contract::DESCRIPTORS, contracts::DESCRIPTORS])
    })?;
    mesh.run(services, stop, &TaskTracker::new())?;
    Ok(mesh)
}

/// Ends when whoever started this process is gone, or has closed its standard input.
pub(crate) async fn until_left() {
    let left = || std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    // Whether it ended or broke, nobody is there any longer.
    let _ = tokio::task::spawn_blocking(left).await;
}
