//! A mesh as a program knows it: where it is, who speaks, until when.

use std::sync::Arc;
use std::time::Duration;

use contract::grpc::health::v1::HealthCheckRequest;
use contract::grpc::health::v1::health_client::HealthClient;
use mesh::channel::{MalformedTarget, Throttle};
use mesh::policy::{Policies, PolicyError};
use mesh::{
    Channel, Clock, Code, Configs, Context, HasContext, Ids, Request, ServiceConfig, Status,
    Target, Trace,
};
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;

use tradewind::cart::v1::cart_service_client::CartServiceClient;
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::stock_service_client::StockServiceClient;
use tradewind::ledger::v1::ledger_service_client::LedgerServiceClient;
use tradewind::notifications::v1::notifications_service_client::NotificationsServiceClient;
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::sagas_service_client::SagasServiceClient;
use tradewind::payments::v1::payments_service_client::PaymentsServiceClient;
use tradewind::users::v1::users_service_client::UsersServiceClient;

use crate::call::Calls;
use crate::retry::Retry;
use crate::session::TokenSource;
use crate::transport::{Identity, Transport};

/// How long a mesh may take to say that it is there.
const CONNECT: Duration = Duration::from_secs(5);

/// A mesh that cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not an address.
    #[error(transparent)]
    Address(#[from] MalformedTarget),
    /// An address, or a key, of a service.
    #[error(transparent)]
    Service(#[from] mesh::ConfigError),
    /// The certificate of a service.
    #[error(transparent)]
    Certificate(#[from] mesh::tls::TlsError),
    /// The key of the mesh.
    #[error(transparent)]
    Key(#[from] mesh::service_token::KeyError),
    /// Nothing answers there.
    #[error("there is no mesh at {0}")]
    Unreachable(String, #[source] Status),
    /// The contracts that this program was built with.
    #[error(transparent)]
    Contracts(#[from] PolicyError),
}

/// A mesh to call. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    pub(crate) policies: Arc<Policies>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) ids: Ids,
    pub(crate) clock: Clock,
    pub(crate) retry: Retry,
    pub(crate) tokens: Option<Arc<dyn TokenSource>>,
    pub(crate) publishable_key: Option<Arc<str>>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) parent: Option<Trace>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("signed_in", &self.tokens.is_some())
            .field("publishable_key", &self.publishable_key)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A mesh at the address of its gateway or of a service, once it has answered; for nobody, in the default project.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let target: Target = url.parse()?;
        let policies = Policies::read(&[contract::DESCRIPTORS, tradewind::DESCRIPTORS])?;
        let once = Configs::fixed(ServiceConfig::once());
        let channel = mesh::channel::dial(target, Arc::new(policies), once);
        let mut asked = Request::new(HealthCheckRequest::default());
        asked.set_timeout(CONNECT);
        match HealthClient::new(channel.clone()).check(asked).await {
            // Whoever knows no health has answered too.
            Err(status) if status.code() != Code::Unimplemented => {
                Err(ConnectError::Unreachable(url.to_owned(), status))
            }
            Ok(_) | Err(_) => Ok(Self::over(channel)?),
        }
    }

    /// A mesh whose services are called by one of them: showing itself, each at its own address, INTERNAL
    /// calls included; in the default project, for nobody, until [`Client::of`] says for whom.
    pub fn service(identity: Identity) -> Result<Self, ConnectError> {
        Ok(Self::by(Transport::inside(identity)?)?)
    }

    /// A mesh by a channel that is there already, such as one of this process.
    pub fn over(channel: Channel) -> Result<Self, PolicyError> {
        Self::by(Transport::Edge(channel))
    }

    fn by(transport: Transport) -> Result<Self, PolicyError> {
        let clock = Clock::system();
        Ok(Self {
            transport,
            policies: Arc::new(Policies::read(&[contract::DESCRIPTORS, tradewind::DESCRIPTORS])?),
            throttle: Arc::default(),
            ids: Ids::new(clock.clone()),
            clock,
            retry: Retry::default(),
            tokens: None,
            publishable_key: None,
            deadline: None,
            parent: None,
        })
    }

    /// The same mesh, for whom these tokens show.
    #[must_use]
    pub fn signed_in(&self, tokens: Arc<dyn TokenSource>) -> Self {
        Self { tokens: Some(tokens), ..self.clone() }
    }

    /// The same mesh, for nobody.
    #[must_use]
    pub fn signed_out(&self) -> Self {
        Self { tokens: None, ..self.clone() }
    }

    /// The same mesh, in the project that a call without a token is in.
    #[must_use]
    pub fn in_project(&self, project: &str) -> Self {
        let key = mesh::identity::publishable_key(project);
        let transport = self.transport.in_project(project);
        Self { publishable_key: Some(key.into()), transport, ..self.clone() }
    }

    /// The same mesh, all of whose calls end by then: what a service does with its own caller's deadline.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        let deadline = self.deadline.map_or(deadline, |own| own.min(deadline));
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The same mesh, called while a service answers a request or does a task: within its deadline and
    /// in its trace. A service calls as itself, for the caller and in its project; any other program as
    /// whoever it is signed in for.
    #[must_use]
    pub fn of(&self, from: &impl HasContext) -> Self {
        let Context { deadline, trace, caller, .. } = from.context();
        let within = deadline.map_or_else(|| self.clone(), |deadline| self.until(deadline));
        let transport = self.transport.working_for(caller);
        Self { parent: Some(*trace), transport, ..within }
    }

    /// The same mesh, whose calls are tried again in this way.
    #[must_use]
    pub fn retrying(&self, retry: Retry) -> Self {
        Self { retry, ..self.clone() }
    }

    /// What any generated client is made of.
    #[must_use]
    pub fn channel(&self) -> Channel {
        BoxCloneSyncService::new(Calls { client: self.clone() })
    }
}

/// A typed client for each service of the contracts.
macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident = $contract:literal),* $(,)?) => {
        impl Client {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self) -> $client<Channel> {
                    $client::new(self.channel())
                }
            )*
        }

        #[cfg(test)]
        const TYPED: &[&str] = &[$($contract),*];
    };
}

services! {
    /// Accounts, sessions and projects.
    users: UsersServiceClient = "tradewind.users.v1.UsersService",
    /// Products and their search.
    catalog: CatalogServiceClient = "tradewind.catalog.v1.CatalogService",
    /// What is on hand, and what is promised.
    stock: StockServiceClient = "tradewind.catalog.v1.StockService",
    /// The cart of the caller.
    cart: CartServiceClient = "tradewind.cart.v1.CartService",
    /// Orders, from placement to delivery.
    orders: OrdersServiceClient = "tradewind.orders.v1.OrdersService",
    /// The processes of orders that are under way.
    sagas: SagasServiceClient = "tradewind.orders.v1.SagasService",
    /// Payments and their attempts.
    payments: PaymentsServiceClient = "tradewind.payments.v1.PaymentsService",
    /// The book in which all money is.
    ledger: LedgerServiceClient = "tradewind.ledger.v1.LedgerService",
    /// Mail, and what happens as it happens.
    notifications: NotificationsServiceClient = "tradewind.notifications.v1.NotificationsService",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_service_of_the_contracts_has_a_typed_client() {
        let policies = Policies::read(&[contract::DESCRIPTORS, tradewind::DESCRIPTORS]).unwrap();

        let contracts: BTreeSet<_> = policies
            .methods()
            .map(|method| method.service.as_str())
            // What processes of a mesh tell each other is no program's to call.
            .filter(|service| service.starts_with("tradewind.") && !service.contains(".mesh."))
            .collect();

        assert_eq!(contracts, TYPED.iter().copied().collect());
    }
}
