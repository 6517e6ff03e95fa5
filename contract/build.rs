//! Compiles the contracts that every other contract is made of.

use contract_build::Contracts;

fn main() -> anyhow::Result<()> {
    Contracts {
        root: "../proto".into(),
        packages: vec![
            "google.api",
            "grpc.channelz",
            "grpc.health",
            "tradewind.mesh",
            "tradewind.money",
        ],
        elsewhere: vec![],
        contract: "crate",
    }
    .compile()
}
