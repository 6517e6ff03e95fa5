//! Compiles the contract of the replicas that are killed, paused and cut off.

use contract_build::Contracts;

fn main() -> anyhow::Result<()> {
    Contracts {
        root: "proto".into(),
        packages: vec!["faults"],
        elsewhere: vec![("tradewind.mesh", "::contract::mesh")],
        contract: "::contract",
    }
    .compile()
}
