//! Compiles the contracts of the suites: others' names and numbers, with the mesh's policy beside.

use contract_build::Contracts;

fn main() -> anyhow::Result<()> {
    Contracts {
        root: "proto".into(),
        packages: vec!["connectrpc.conformance", "grpc.testing"],
        elsewhere: vec![("tradewind.mesh", "::contract::mesh")],
        contract: "::contract",
    }
    .compile()
}
