//! Payment intents, attempts and refunds, through providers.
//!
//! Invariant: an attempt is kept before its provider is asked, and asked for under the same key for
//! ever after; an outcome that is final is never rewritten.

mod attempt;
mod audit;
mod cancel;
mod error;
mod intent;
mod ledger;
mod pay;
mod payment_method;
pub mod provider;
mod record;
mod refund;
mod resolve;
mod rpc;
mod settle;
pub mod simulator;
mod store;
mod tasks;

use std::sync::Arc;

use ::store::{Migration, Store};
use mesh::{Faults, Mesh};
use tradewind::payments::v1::payments_service_server::PaymentsServiceServer;

use crate::provider::{Provider, Providers};

/// The noun that this service is called by, everywhere.
pub const NAME: &str = "payments";

/// The tables, oldest first.
pub const MIGRATIONS: &[Migration] = &[
    Migration::new("0001_payments", include_str!("../migrations/0001_payments.sql")),
    Migration::new("0002_simulator", include_str!("../migrations/0002_simulator.sql")),
];

/// The services that it calls.
pub const CALLS: &[&str] = &["ledger"];

/// The events that it consumes.
pub const CONSUMES: &[&str] = &[];

/// Who takes the money.
#[derive(Clone)]
pub struct Config {
    /// Providers, in the order in which they are asked whether a payment method is theirs.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Whether the simulator stands behind them: it accepts every token, and takes no money.
    pub simulator: bool,
    /// Where its processes can be made to stand still.
    pub faults: Faults,
}

impl Default for Config {
    /// The simulator alone, so that everything runs offline.
    fn default() -> Self {
        Self { providers: Vec::new(), simulator: true, faults: Faults::none() }
    }
}

/// Every point at which a process of this service can be made to stand still: `<process>/<step>`.
#[must_use]
pub fn points() -> Vec<String> {
    let of = |process, steps: &[&str]| -> Vec<String> {
        steps.iter().map(|step| format!("{process}/{step}")).collect()
    };
    [
        of(pay::PROCESS, &pay::STEPS),
        of(refund::PROCESS, &refund::STEPS),
        of(settle::PROCESS, &settle::STEPS),
    ]
    .concat()
}

/// The service, over its store.
#[must_use]
pub fn service(config: Config, store: Store, mesh: &Mesh) -> mesh::Service {
    let Config { mut providers, simulator, faults } = config;
    if simulator {
        providers.push(Arc::new(simulator::Simulator::new(store.clone())));
    }
    let payments = rpc::Payments {
        ledger: ledger::Ledger::new(mesh.peer(NAME, "ledger")),
        providers: Providers::new(providers),
        faults,
        store,
    };
    let runner = tasks::runner(&payments);
    mesh::Service::new(NAME)
        .answer(PaymentsServiceServer::new(payments))
        .work(|stop| runner.run(stop))
}
