//! Compiles the contracts of every domain.

use contract_build::Contracts;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let contracts = Contracts {
        root: "proto".into(),
        packages: vec![
            "tradewind.cart",
            "tradewind.catalog",
            "tradewind.ledger",
            "tradewind.notifications",
            "tradewind.orders",
            "tradewind.payments",
            "tradewind.users",
        ],
        elsewhere: vec![
            ("google.api", "::contract::google::api"),
            ("tradewind.mesh", "::contract::mesh"),
            ("tradewind.money", "::contract::money"),
        ],
        contract: "::contract",
    };
    Ok(contracts.compile()?)
}
