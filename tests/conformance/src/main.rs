//! What the published test suites ask: a server of gRPC's interoperability tests on the mesh, a client of
//! theirs over the mesh's channel, and the server of the Connect conformance suite behind the gateway.
//!
//! Invariant: what is under test is the mesh and the gateway as they are; nothing here mends an answer.

mod connect;
mod interop;
mod serving;
mod streaming;
mod trailing;

use std::process::ExitCode;

use clap::Parser;
use conformance as contracts;

/// One program for both suites, since both begin by linking the same mesh.
#[derive(Debug, Parser)]
#[command(about = "Servers and clients that the suites of docs/conformance.md are run with")]
enum Command {
    /// Serve grpc.testing.TestService; writes the port and ends when its standard input does.
    InteropServer,
    /// Run the interoperability cases against a server, or those that are named.
    InteropClient {
        /// Such as `http://127.0.0.1:10000`.
        #[arg(long)]
        address: String,
        /// The cases to run; all when none is named.
        cases: Vec<String>,
    },
    /// Serve connectrpc.conformance.v1 as `connectconformance --mode server` asks on standard input.
    ConnectServer,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::InteropServer => interop::server::run().await.map(|()| true),
        Command::InteropClient { address, cases } => interop::client::run(address, &cases).await,
        Command::ConnectServer => connect::server::run().await.map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}
