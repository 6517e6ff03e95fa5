//! The services by name, and how each is made.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use mesh::{Bus, Callers, Clock, Faults, Ids, Mesh, Service, Subscriptions};
use store::{Database, Keep, Metrics, Migration, Pace, Store};

/// A service, by the noun that it is called by everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noun {
    Gateway,
    Users,
    Catalog,
    Cart,
    Orders,
    Payments,
    Ledger,
    Notifications,
}

impl Noun {
    pub(crate) const ALL: [Self; 8] = [
        Self::Gateway,
        Self::Users,
        Self::Catalog,
        Self::Cart,
        Self::Orders,
        Self::Payments,
        Self::Ledger,
        Self::Notifications,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Users => users::NAME,
            Self::Catalog => catalog::NAME,
            Self::Cart => cart::NAME,
            Self::Orders => orders::NAME,
            Self::Payments => payments::NAME,
            Self::Ledger => ledger::NAME,
            Self::Notifications => notifications::NAME,
        }
    }

    /// Its tables; the gateway keeps nothing.
    pub(crate) fn migrations(self) -> Option<&'static [Migration]> {
        match self {
            Self::Gateway => None,
            Self::Users => Some(users::MIGRATIONS),
            Self::Catalog => Some(catalog::MIGRATIONS),
            Self::Cart => Some(cart::MIGRATIONS),
            Self::Orders => Some(orders::MIGRATIONS),
            Self::Payments => Some(payments::MIGRATIONS),
            Self::Ledger => Some(ledger::MIGRATIONS),
            Self::Notifications => Some(notifications::MIGRATIONS),
        }
    }

    fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &[],
            Self::Users => users::CALLS,
            Self::Catalog => catalog::CALLS,
            Self::Cart => cart::CALLS,
            Self::Orders => orders::CALLS,
            Self::Payments => payments::CALLS,
            Self::Ledger => ledger::CALLS,
            Self::Notifications => notifications::CALLS,
        }
    }

    /// The events that it consumes.
    pub(crate) fn consumes(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &[],
            Self::Users => users::CONSUMES,
            Self::Catalog => catalog::CONSUMES,
            Self::Cart => cart::CONSUMES,
            Self::Orders => orders::CONSUMES,
            Self::Payments => payments::CONSUMES,
            Self::Ledger => ledger::CONSUMES,
            Self::Notifications => notifications::CONSUMES,
        }
    }
}

/// Which services may call which: those that they declare. The gateway passes calls to all of them, and every
/// process asks the users service which tokens are good.
pub(crate) fn callers() -> Callers {
    let mut callers = Callers::default();
    for noun in Noun::ALL {
        for callee in Noun::ALL.into_iter().filter(|callee| *callee != Noun::Gateway) {
            let declares = noun.calls().contains(&callee.name());
            if declares || noun == Noun::Gateway || callee == Noun::Users {
                callers = callers.allow(noun.name(), callee.name());
            }
        }
    }
    callers
}

impl std::str::FromStr for Noun {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|noun| noun.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            anyhow::anyhow!("there is no service `{name}`; there are {names}")
        })
    }
}

/// Which services consume which events, wherever they run.
pub(crate) fn subscriptions() -> Subscriptions {
    let mut subscriptions = Subscriptions::new();
    for noun in Noun::ALL {
        for event in noun.consumes() {
            subscriptions.entry((*event).to_owned()).or_default().push(noun.name());
        }
    }
    subscriptions
}

/// The service of the mesh that answers a contract: `tradewind.orders.v1.OrdersService` is of `orders`.
pub(crate) fn noun_of(contract: &str) -> Option<Noun> {
    let mut segments = contract.split('.');
    match (segments.next()?, segments.next()?) {
        // The mesh's own contracts, health and reflection are answered by this very process.
        ("tradewind", "mesh") | ("grpc", _) => Some(Noun::Gateway),
        ("tradewind", noun) => noun.parse().ok(),
        _ => None,
    }
}

/// Every point at which a process can be made to stand still.
pub(crate) fn points() -> Vec<String> {
    [orders::points(), payments::points()].concat()
}

/// What services are made with.
pub(crate) struct Parts {
    pub(crate) mesh: Mesh,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) database: Database,
    pub(crate) pace: Pace,
    pub(crate) keep: Keep,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) index: PathBuf,
    pub(crate) users: users::Config,
    pub(crate) cart: cart::Config,
    pub(crate) notifications: notifications::Config,
}

/// Opens the store of a service and makes it; the gateway is made where it is served.
pub(crate) async fn service(noun: Noun, parts: &Parts) -> Result<Option<Service>> {
    let Some(migrations) = noun.migrations() else { return Ok(None) };
    let store = Store::open(store::Config {
        service: noun.name(),
        database: parts.database.clone(),
        migrations,
        bus: Arc::clone(&parts.bus),
        changes: parts.mesh.changes().clone(),
        clock: parts.clock.clone(),
        ids: Ids::new(parts.clock.clone()),
        pace: parts.pace,
        keep: parts.keep,
        metrics: parts.metrics.clone(),
        chaos: None,
    })
    .await?;
    let mesh = &parts.mesh;
    let faults = parts.faults.clone();
    let (auditor, tasks, outbox) = (store.clone(), store.clone(), store.clone());
    let service = match noun {
        Noun::Gateway => None,
        Noun::Users => Some(users::service(parts.users.clone(), store, mesh)),
        Noun::Catalog => {
            let config = catalog::Config { index: Some(parts.index.clone()) };
            Some(catalog::service(config, store, mesh))
        }
        Noun::Cart => Some(cart::service(parts.cart, store, mesh)),
        Noun::Orders => Some(orders::service(store, mesh, faults)),
        Noun::Payments => {
            let config = payments::Config { faults, ..payments::Config::default() };
            Some(payments::service(config, store, mesh))
        }
        Noun::Ledger => Some(ledger::service(store, mesh)),
        Noun::Notifications => {
            Some(notifications::service(parts.notifications.clone(), store, mesh))
        }
    };
    Ok(service.map(|service| service.audited_by(auditor).tasks_of(tasks).outbox_of(outbox)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the chart makes its network policies of.
    const CHART: &str = include_str!("../../helm/tradewind/files/calls.yaml");

    #[test]
    fn the_chart_lets_a_service_reach_those_that_it_calls_or_tells() {
        let kept: Vec<_> = CHART.lines().filter(|line| !line.starts_with('#')).collect();

        let made = Noun::ALL.map(reached);

        let made = made.join("\n");
        assert_eq!(kept.join("\n"), made, "helm/tradewind/files/calls.yaml should say\n{made}\n");
    }

    /// A line of it: a service, and those that it reaches from where it runs.
    fn reached(noun: Noun) -> String {
        let (callers, subscriptions) = (callers(), subscriptions());
        let calls = |callee: Noun| {
            callers.of(callee.name()).is_some_and(|callers| callers.contains(noun.name()))
        };
        let tells = |consumer: Noun| {
            subscriptions.iter().any(|(event, consumers)| {
                noun_of(event) == Some(noun) && consumers.contains(&consumer.name())
            })
        };
        let others = Noun::ALL.into_iter().filter(|other| *other != noun);
        let reached = others.filter(|other| calls(*other) || tells(*other));
        let names: Vec<_> = reached.map(Noun::name).collect();
        format!("{}: [{}]", noun.name(), names.join(", "))
    }
}
