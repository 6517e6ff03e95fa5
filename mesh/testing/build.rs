//! Compiles the contract of the tests.

use contract_build::Contracts;

fn main() -> anyhow::Result<()> {
    Contracts {
        root: "proto".into(),
        packages: vec!["parrot"],
        elsewhere: vec![("tradewind.mesh", "::contract::mesh")],
        contract: "::contract",
    }
    .compile()
}
