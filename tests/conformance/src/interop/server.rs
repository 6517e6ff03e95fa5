//! A process of the mesh that serves the test service.

use std::collections::HashMap;
use std::io::Write;

use anyhow::Result;
use mesh::serve::{Config, Drain};
use mesh::{CancellationToken, Service};
use tokio::net::TcpListener;

use super::test_service::TestService;
use crate::contracts::testing::test_service_server::TestServiceServer;
use crate::serving;
use crate::trailing::WithTrailing;

/// Serves until standard input ends; the port is the first line of standard output.
pub(crate) async fn run() -> Result<()> {
    let stop = CancellationToken::new();
    let server = TestServiceServer::new(TestService);
    let service = Service::new("interop").answer(WithTrailing(server));
    let mesh = serving::mesh(vec![service], HashMap::new(), &stop)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let serving =
        mesh::serve::grpc(listener, mesh, Config::mesh().ending(Drain::at_once()), stop.clone());
    tokio::select! {
        _ = serving => {}
        () = serving::until_left() => {}
    }
    Ok(())
}
