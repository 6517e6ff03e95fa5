//! The mesh of one process: which services are here, where the others are, and what all calls pass.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use contract::grpc::health::v1::health_server::HealthServer;
use contract::mesh::v1::audit_service_server::AuditServiceServer;
use contract::mesh::v1::events_service_server::EventsServiceServer;
use contract::mesh::v1::outbox_service_server::OutboxServiceServer;
use contract::mesh::v1::tasks_service_server::TasksServiceServer;
use futures_util::future::OptionFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::admission::Admission;
use crate::audit::{Auditors, Audits, Elsewhere};
use crate::bus::Bus;
use crate::callers::Callers;
use crate::changes::Changes;
use crate::channel::{
    self, Channel, Configs, Credentials, MalformedTarget, Peer, Remote, Target, Way,
};
use crate::channelz::Registry;
use crate::chaos::Chaos;
use crate::clock::Clock;
use crate::events::{Intake, MeshBus, Subscriptions};
use crate::health::HealthState;
use crate::identity::{Identity, Roles, Tokens};
use crate::limits::{Limiter, Limits};
use crate::locks::Locks;
use crate::metrics::Metrics;
use crate::outbox::{Outboxes, OutboxesHere};
use crate::policy::{Policies, PolicyError};
use crate::replicas::{Shared, SharedAnswers};
use crate::server::Stack;
use crate::service::{Consumers, Service};
use crate::service_token::ServiceKey;
use crate::tasks::{Operators, TasksHere};
use crate::tls::Identities;
use crate::trust::Trust;

/// How often budgets that are full again are forgotten, and ended sessions are asked for.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// What the keys that tokens are checked with are called where health is told.
const KEYS: &str = "dependency.keys";

/// What a process is told of its mesh.
pub struct Config {
    /// Encoded descriptor sets of every contract, each with its imports.
    pub descriptors: Vec<&'static [u8]>,
    /// Which permissions each role gives.
    pub roles: Roles,
    /// Services that run elsewhere, with their targets, such as `dns:///orders:7000`.
    pub elsewhere: HashMap<&'static str, String>,
    /// How services that run elsewhere are called.
    pub calls: Configs,
    /// Which services consume which events.
    pub subscriptions: Subscriptions,
    /// The key that shows the mesh's processes to each other.
    pub service_key: Option<Arc<ServiceKey>>,
    /// The certificates that do the same, and keep what is said from others; they come before the key.
    pub identities: Option<Identities>,
    /// Which services may call which.
    pub callers: Callers,
    /// Budgets of calls.
    pub limits: Limits,
    /// What is kept for all replicas.
    pub shared: Shared,
    /// Where the time comes from.
    pub clock: Clock,
    /// What this process is called where it speaks for no service.
    pub process: &'static str,
    /// What befalls its calls, in simulations.
    pub chaos: Option<Arc<dyn Chaos>>,
}

impl Config {
    /// A process that knows these contracts: it runs alone, shows itself by nothing, and has the usual limits.
    #[must_use]
    pub fn new(process: &'static str, descriptors: Vec<&'static [u8]>) -> Self {
        Self {
            descriptors,
            roles: Roles::default(),
            elsewhere: HashMap::new(),
            calls: Configs::default(),
            subscriptions: Subscriptions::new(),
            service_key: None,
            identities: None,
            callers: Callers::default(),
            limits: Limits::default(),
            shared: Shared::default(),
            clock: Clock::system(),
            process,
            chaos: None,
        }
    }
}

/// A mesh that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Contracts.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An address.
    #[error("the address of {service}: {source}")]
    Address {
        /// Whose.
        service: &'static str,
        /// What is wrong with it.
        source: MalformedTarget,
    },
    /// Reflection.
    #[error("the contracts cannot be reflected")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The mesh of one process. Cheap to clone.
///
/// It owns its services, so none of them may keep it: together they would never end. What a service
/// needs of it, it asks for when it is made.
#[derive(Clone)]
pub struct Mesh {
    parts: Arc<Parts>,
}

struct Parts {
    descriptors: Vec<&'static [u8]>,
    elsewhere: HashMap<&'static str, Target>,
    calls: Configs,
    service_key: Option<Arc<ServiceKey>>,
    identities: Option<Identities>,
    clock: Clock,
    process: &'static str,
    channelz: Registry,
    policies: Arc<Policies>,
    metrics: Arc<Metrics>,
    limiter: Arc<Limiter>,
    answers: Option<Arc<dyn SharedAnswers>>,
    locks: Locks,
    admission: Option<Arc<Admission>>,
    identity: Arc<Identity>,
    trust: Arc<Trust>,
    changes: Changes,
    health: HealthState,
    stack: Arc<OnceLock<Stack>>,
    intake: Intake,
    auditors: Arc<OnceLock<Auditors>>,
    tasks: Arc<OnceLock<TasksHere>>,
    outboxes: Arc<OnceLock<OutboxesHere>>,
    subscriptions: Subscriptions,
    channels: RwLock<HashMap<&'static str, Channel>>,
    chaos: Option<Arc<dyn Chaos>>,
}

impl Mesh {
    /// A mesh whose own services are still to be named.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let policies = Arc::new(Policies::read(&config.descriptors)?);
        let elsewhere = config
            .elsewhere
            .into_iter()
            .map(|(service, address)| match address.parse() {
                Ok(target) => Ok((service, target)),
                Err(source) => Err(ConfigError::Address { service, source }),
            })
            .collect::<Result<_, _>>()?;
        let metrics = Arc::<Metrics>::default();
        let trust = Arc::<Trust>::default();
        let identity = Identity::new(
            Arc::clone(&trust),
            config.roles,
            config.clock.clone(),
            // Whoever shows a certificate needs no token, and nobody else is believed.
            config.service_key.clone().filter(|_| config.identities.is_none()),
            config.callers,
            metrics.cache("access_tokens"),
        );
        let locks = Locks::new(config.shared.locks, config.clock.clone());
        let admission = config.limits.at_once.map(|at_once| Admission::new(at_once, &metrics));
        Ok(Self {
            parts: Arc::new(Parts {
                descriptors: config.descriptors,
                elsewhere,
                calls: config.calls,
                service_key: config.service_key,
                identities: config.identities,
                channelz: Registry::new(config.clock.clone()),
                health: HealthState::new(config.clock.clone()),
                clock: config.clock,
                process: config.process,
                policies,
                metrics,
                answers: config.shared.answers,
                locks,
                limiter: Arc::new(Limiter::new(&config.limits, config.shared.budgets)),
                admission,
                identity: Arc::new(identity),
                trust,
                changes: Changes::default(),
                stack: Arc::default(),
                intake: Intake::default(),
                auditors: Arc::default(),
                tasks: Arc::default(),
                outboxes: Arc::default(),
                subscriptions: config.subscriptions,
                channels: RwLock::default(),
                chaos: config.chaos,
            }),
        })
    }

    /// A channel to a service; its caller cannot tell near from far.
    #[must_use]
    pub fn channel(&self, service: &'static str) -> Channel {
        let channels = &self.parts.channels;
        if let Some(channel) = channels.read().unwrap_or_else(PoisonError::into_inner).get(service)
        {
            return channel.clone();
        }
        let channel = match self.parts.elsewhere.get(service) {
            Some(target) if *target != Target::Inproc => {
                let policies = Arc::clone(&self.parts.policies);
                let way = Way {
                    service,
                    target: target.clone(),
                    credentials: Some(self.credentials()),
                    identities: self.parts.identities.clone(),
                    registry: Some(self.parts.channelz.clone()),
                };
                let metrics = Arc::clone(&self.parts.metrics);
                Remote::new(way, policies, self.parts.calls.clone(), metrics).channel()
            }
            Some(_) | None => channel::near(&self.parts.stack, service),
        };
        let channel = match &self.parts.chaos {
            Some(chaos) => chaos.way(service, channel),
            None => channel,
        };
        let mut channels = channels.write().unwrap_or_else(PoisonError::into_inner);
        channels.entry(service).or_insert(channel).clone()
    }

    /// A service that `from` calls.
    #[must_use]
    pub fn peer(&self, from: &'static str, service: &'static str) -> Peer {
        Peer::new(self.channel(service), from)
    }

    /// The bus that needs nothing else installed: events are delivered by calls of the mesh.
    #[must_use]
    pub fn bus(&self) -> Arc<dyn Bus> {
        // A store has the bus, and is behind a service of this mesh: together they would never end.
        let parts = Arc::downgrade(&self.parts);
        Arc::new(MeshBus {
            subscriptions: self.parts.subscriptions.clone(),
            peer: Box::new(move |consumer| {
                let mesh = Self { parts: parts.upgrade()? };
                Some(mesh.peer(mesh.parts.process, consumer))
            }),
        })
    }

    /// Where events come in for the services of this process, whichever bus brings them.
    #[must_use]
    pub fn intake(&self) -> Intake {
        self.parts.intake.clone()
    }

    /// Answers for these services from now on, and does their work until the token is cancelled.
    /// Called once; what is tracked has ended when the tracker says so.
    pub fn run(
        &self,
        services: Vec<Service>,
        stop: &CancellationToken,
        tracker: &TaskTracker,
    ) -> Result<(), ConfigError> {
        let mut routes = Routes::builder();
        routes.add_service(HealthServer::new(self.parts.health.clone()));
        routes.add_service(EventsServiceServer::new(self.intake()));
        let here = Arc::clone(&self.parts.auditors);
        routes.add_service(AuditServiceServer::new(Audits { here, elsewhere: self.elsewhere() }));
        let here = Arc::clone(&self.parts.tasks);
        routes
            .add_service(TasksServiceServer::new(Operators { here, elsewhere: self.elsewhere() }));
        let here = Arc::clone(&self.parts.outboxes);
        routes
            .add_service(OutboxServiceServer::new(Outboxes { here, elsewhere: self.elsewhere() }));
        let mut names = Vec::new();
        let mut nouns = HashMap::new();
        let mut routers = Vec::new();
        let (mut consumers, mut auditors) = (Consumers::new(), Auditors::new());
        let (mut tasks, mut outboxes) = (TasksHere::new(), OutboxesHere::new());
        for service in services {
            nouns.extend(service.contracts.iter().map(|contract| (*contract, service.name)));
            names.extend(service.contracts);
            routers.push(service.routes.routes());
            if let Some(consumer) = service.consumer {
                consumers.insert(service.name, consumer);
            }
            if let Some(auditor) = service.auditor {
                auditors.insert(service.name, auditor);
            }
            if let Some(known) = service.tasks {
                tasks.insert(service.name, known);
            }
            if let Some(outbox) = service.outbox {
                outboxes.insert(service.name, outbox);
            }
            for work in service.background {
                tracker.spawn(work(stop.child_token()));
            }
        }
        let routes = self.reflected(routes)?.routes();
        let routes = merge(routes, routers);
        self.parts.identity.answers(nouns);
        let _ = self.parts.intake.consumers.set(consumers);
        let _ = self.parts.auditors.set(auditors);
        let _ = self.parts.tasks.set(tasks);
        let _ = self.parts.outboxes.set(outboxes);
        let _ = self.parts.stack.set(self.stack(routes));
        self.parts.health.serve(names);
        tracker.spawn(self.clone().housekeep(stop.child_token()));
        let (calls, identities) = (self.parts.calls.clone(), self.parts.identities.clone());
        let stop = stop.child_token();
        tracker.spawn(async move {
            let identities = async { OptionFuture::from(identities.map(Identities::follow)).await };
            let follow = async { tokio::join!(calls.follow(), identities) };
            // Nothing that is followed ends by itself.
            let _ = stop.run_until_cancelled(follow).await;
        });
        Ok(())
    }

    /// What this process is called where it speaks for no service.
    #[must_use]
    pub fn process(&self) -> &'static str {
        self.parts.process
    }

    pub(crate) fn identities(&self) -> Option<&Identities> {
        self.parts.identities.as_ref()
    }

    /// What this process says of its health.
    #[must_use]
    pub fn health(&self) -> &HealthState {
        &self.parts.health
    }

    /// What this process counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.parts.metrics
    }

    /// The channels, servers and sockets of this process, for who looks at it.
    #[must_use]
    pub fn channelz(&self) -> &Registry {
        &self.parts.channelz
    }

    /// The keys that tokens are checked with.
    #[must_use]
    pub fn trust(&self) -> &Arc<Trust> {
        &self.parts.trust
    }

    /// Checks access tokens, for a service that is given one in a message.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        Tokens::new(Arc::clone(&self.parts.identity))
    }

    /// Locks that one replica has at a time.
    #[must_use]
    pub fn locks(&self) -> &Locks {
        &self.parts.locks
    }

    /// What has changed, for answers that are kept.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.parts.changes
    }

    /// What the contracts say of every RPC.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.parts.policies
    }

    pub(crate) fn answering(&self) -> Option<&Stack> {
        self.parts.stack.get()
    }

    /// The way to services that run elsewhere, for what the mesh answers itself.
    fn elsewhere(&self) -> Elsewhere {
        // What is answered here is a part of the mesh: it must not keep it.
        let parts = Arc::downgrade(&self.parts);
        Arc::new(move |service| {
            let mesh = Self { parts: parts.upgrade()? };
            let (service, _) = mesh.parts.elsewhere.get_key_value(service)?;
            Some(mesh.peer(mesh.parts.process, service))
        })
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            key: self.parts.service_key.clone().filter(|_| self.parts.identities.is_none()),
            clock: self.parts.clock.clone(),
            process: self.parts.process.into(),
        }
    }

    fn stack(&self, routes: Routes) -> Stack {
        let parts = &self.parts;
        Stack::new(
            routes,
            Arc::clone(&parts.policies),
            Arc::clone(&parts.metrics),
            Arc::clone(&parts.identity),
            Arc::clone(&parts.limiter),
            parts.admission.clone(),
            parts.changes.clone(),
            parts.answers.clone(),
        )
    }

    fn reflected(
        &self,
        mut routes: tonic::service::RoutesBuilder,
    ) -> Result<tonic::service::RoutesBuilder, ConfigError> {
        use tonic_reflection::server::Builder;
        let sets = &self.parts.descriptors;
        let builder = || {
            sets.iter().fold(Builder::configure(), |builder, set| {
                builder.register_encoded_file_descriptor_set(set)
            })
        };
        routes.add_service(builder().build_v1()?);
        routes.add_service(builder().build_v1alpha()?);
        Ok(routes)
    }

    async fn housekeep(self, stop: CancellationToken) {
        let first = tokio::time::Instant::now() + HOUSEKEEPING;
        let mut every = tokio::time::interval_at(first, HOUSEKEEPING);
        while stop.run_until_cancelled(every.tick()).await.is_some() {
            self.parts.limiter.forget();
            let refreshed = self.parts.trust.refresh().await;
            self.parts.health.dependency(KEYS, refreshed.is_ok());
            if let Err(status) = refreshed {
                tracing::warn!(code = ?status.code(), "keys and ended sessions could not be refreshed: {}", status.message());
            }
        }
    }
}

fn merge(routes: Routes, others: Vec<Routes>) -> Routes {
    let router = others.into_iter().fold(routes.into_axum_router(), |router, other| {
        // Each brings its own answer to unknown paths; the policies answer those before any router.
        router.merge(other.into_axum_router().reset_fallback())
    });
    Routes::from(router)
}
