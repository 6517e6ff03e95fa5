//! `tradewind serve`: opens what is needed, runs services, and ends them gracefully.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use gateway::{Gateway, Options};
use mesh::replicas::Process;
use mesh::serve::{Config, Drain, Ended};
use mesh::service_token::ServiceKey;
use mesh::telemetry::Telemetry;
use mesh::tls::{EdgeCertificate, Tls};
use mesh::{CancellationToken, Clock, Faults, Mesh};
use mesh_redis::Redis;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::backup;
use crate::compose::{self, Noun, Parts};
use crate::profile::Profiles;
use crate::settings::{
    self, Administrator, Budgets, Listen, Mail, Others, Retention, Shared, Storage, Trial,
};
use crate::{demo, replicas, say, trust};

/// What `serve` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The services to run, such as `orders payments`; all when none is named.
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<Noun>,
    #[command(flatten)]
    pub(crate) storage: Storage,
    #[command(flatten)]
    pub(crate) retention: Retention,
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(flatten)]
    pub(crate) listen: Listen,
    #[command(flatten)]
    pub(crate) backups: backup::Schedule,
    #[command(flatten)]
    pub(crate) budgets: Budgets,
    #[command(flatten)]
    pub(crate) mail: Mail,
    #[command(flatten)]
    pub(crate) administrator: Administrator,
    #[command(flatten)]
    pub(crate) others: Others,
    #[command(flatten)]
    pub(crate) trial: Trial,
}

/// Runs services until the process is told to end.
pub(crate) async fn run(arguments: Arguments, telemetry: &mut Telemetry) -> Result<ExitCode> {
    let stop = CancellationToken::new();
    let running = start(arguments, &stop).await?;
    telemetry.count(running.mesh.metrics());
    running.announce();
    let told = signal().await?;
    running.mesh.health().stop();
    stop.cancel();
    match told {
        Told::ByPerson => running.hurry.cancel(),
        // Balancers are given time to notice; whoever asks again has waited long enough.
        Told::ByProgram => {
            let hurry = running.hurry.clone();
            tokio::spawn(async move {
                let _ = signal().await;
                hurry.cancel();
            });
        }
    }
    say("stopping: taking no more calls, finishing those that run");
    Ok(match running.end().await {
        Ended::Clean => ExitCode::SUCCESS,
        Ended::Forced => {
            say("some calls were cut off");
            ExitCode::FAILURE
        }
    })
}

/// Services that run.
pub(crate) struct Running {
    pub(crate) mesh: Mesh,
    pub(crate) gateway: Option<SocketAddr>,
    admin: SocketAddr,
    /// Whether the gateway speaks TLS.
    is_secure: bool,
    services: Vec<Noun>,
    demo_shop: bool,
    servers: Vec<JoinHandle<Ended>>,
    tracker: TaskTracker,
    /// Ends the lame duck at once: nobody has to notice that these services end.
    pub(crate) hurry: CancellationToken,
    /// The operators' port, which outlives all else: it tells how the end goes.
    operators: mesh::admin::Serving,
    operators_stop: CancellationToken,
}

/// Starts services; they end when the token is cancelled.
pub(crate) async fn start(arguments: Arguments, stop: &CancellationToken) -> Result<Running> {
    arguments.trial.check()?;
    let services = match arguments.services.as_slice() {
        [] => Noun::ALL.to_vec(),
        named => named.to_vec(),
    };
    let clock = Clock::system();
    let redis = arguments.shared.redis()?;
    let mesh = mesh(&arguments, &services, redis.as_ref(), clock.clone())?;

    // Everything is bound before anything says that it is ready.
    let listeners = Listeners::bind(&arguments.listen, &services).await?;
    let (gateway, admin) = listeners.addresses()?;
    let tracker = TaskTracker::new();
    let certificate = arguments.listen.certificate()?;
    let is_secure = certificate.is_some();
    if let Some(certificate) = certificate.clone() {
        let stop = stop.clone();
        tracker.spawn(async move {
            let _ = stop.run_until_cancelled(certificate.follow()).await;
        });
    }
    let ends = Ends { drain: arguments.listen.drain(), certificate, ..Ends::default() };
    let bus = bus(redis.as_ref(), &mesh, stop, &tracker);
    let parts = parts(&arguments, mesh.clone(), bus, clock.clone())?;
    let mut made = Vec::new();
    for noun in &services {
        made.extend(compose::service(*noun, &parts).await.with_context(|| noun.name())?);
    }
    trust::ask_users(&mesh);
    mesh.run(made, stop, &tracker)?;
    arguments.backups.begin(arguments.storage.source(), &mesh, stop, &tracker);
    if let Some(redis) = redis {
        let place = replicas::place(&arguments.listen, &services);
        share(redis, &mesh, replicas::process(&services, place, &clock), stop, &tracker);
    }
    let operators_stop = CancellationToken::new();
    let profiler = Some(Box::<Profiles>::default() as _);
    let operators =
        mesh::admin::serve(listeners.admin, mesh.clone(), profiler, operators_stop.clone())?;
    let servers = listeners.public.serve(&mesh, arguments.listen.allowed_origins, &ends, stop)?;
    let running = Running {
        mesh,
        gateway,
        admin,
        is_secure,
        services,
        demo_shop: arguments.trial.demo_shop,
        servers,
        tracker,
        hurry: ends.hurry,
        operators,
        operators_stop,
    };
    if running.demo_shop {
        demo::fill_shop(&running.mesh).await.context("the sample shop could not be filled")?;
    }
    Ok(running)
}

/// The mesh of this process, before anything runs in it.
pub(crate) fn mesh(
    arguments: &Arguments,
    services: &[Noun],
    redis: Option<&Redis>,
    clock: Clock,
) -> Result<Mesh> {
    let key = arguments.others.mesh_key.as_deref().map(ServiceKey::open).transpose()?.map(Arc::new);
    let elsewhere = settings::elsewhere(&arguments.others.at)?;
    let identities = arguments.others.identities(services)?;
    settings::check_places(services, &elsewhere, key.is_some() || identities.is_some())?;
    Ok(Mesh::new(mesh::Config {
        descriptors: vec![contract::DESCRIPTORS, tradewind::DESCRIPTORS],
        roles: tradewind::roles::roles(),
        elsewhere,
        calls: arguments.others.calls()?,
        subscriptions: compose::subscriptions(),
        service_key: key,
        identities,
        callers: arguments.others.callers()?,
        limits: arguments.budgets.limits(),
        shared: redis.map(shared).unwrap_or_default(),
        clock,
        chaos: None,
        process: if services.contains(&Noun::Gateway) { "gateway" } else { services[0].name() },
    })?)
}

/// What this process listens on.
struct Listeners {
    admin: TcpListener,
    public: Public,
}

/// Where calls come from.
struct Public {
    /// Where there are other processes.
    mesh: Option<TcpListener>,
    gateway: Option<TcpListener>,
}

impl Listeners {
    async fn bind(listen: &Listen, services: &[Noun]) -> Result<Self> {
        let mut listeners = Self {
            admin: bind(listen.admin_listen, "--admin-listen").await?,
            public: Public { mesh: None, gateway: None },
        };
        if services.len() < Noun::ALL.len() {
            listeners.public.mesh = Some(bind(listen.mesh_listen, "--mesh-listen").await?);
        }
        if services.contains(&Noun::Gateway) {
            listeners.public.gateway = Some(bind(listen.listen, "--listen").await?);
        }
        Ok(listeners)
    }

    /// The addresses of the gateway and of the operators' port.
    fn addresses(&self) -> Result<(Option<SocketAddr>, SocketAddr)> {
        let gateway = self.public.gateway.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok((gateway, self.admin.local_addr()?))
    }
}

/// What the servers of a process have in common: how they end, and what the gateway shows.
#[derive(Default)]
struct Ends {
    drain: Drain,
    hurry: CancellationToken,
    certificate: Option<EdgeCertificate>,
}

impl Ends {
    fn of(&self, mut config: Config) -> Config {
        config.drain = self.drain;
        config.hurry = self.hurry.clone();
        config
    }
}

impl Public {
    fn serve(
        self,
        mesh: &Mesh,
        allowed_origins: Vec<String>,
        ends: &Ends,
        stop: &CancellationToken,
    ) -> Result<Vec<JoinHandle<Ended>>> {
        let mut servers = Vec::new();
        if let Some(listener) = self.mesh {
            let config = ends.of(Config::mesh());
            let served = mesh::serve::grpc(listener, mesh.clone(), config, stop.clone());
            servers.push(tokio::spawn(served));
        }
        if let Some(listener) = self.gateway {
            let edge = edge(mesh, allowed_origins)?;
            let config = ends.of(Config::edge()).secured(ends.certificate.clone().map(Tls::Edge));
            let registry = mesh.channelz().clone();
            let stop = stop.clone();
            servers.push(tokio::spawn(async move {
                mesh::serve::listed(listener, edge, config, &registry, stop).await
            }));
        }
        Ok(servers)
    }
}

impl Running {
    /// Says where to look and what to try.
    fn announce(&self) {
        let names: Vec<_> = self.services.iter().map(|noun| noun.name()).collect();
        say(&format!("tradewind serves {}", names.join(", ")));
        say(&format!("  metrics    http://{}/metrics", self.admin));
        let Some(gateway) = self.gateway else { return };
        let url = format!("{}://{gateway}", if self.is_secure { "https" } else { "http" });
        say(&format!("  gateway    {url}/"));
        say(&format!("  contract   {url}/openapi.json"));
        if self.demo_shop {
            say(&format!("  try        curl '{url}/v1/products:search?query=shirt'"));
            say(&format!("             tradewind demo --url {url}"));
        }
    }

    /// Waits until everything has ended; how hard the servers had to end.
    pub(crate) async fn end(self) -> Ended {
        let mut ended = Ended::Clean;
        for server in self.servers {
            if !matches!(server.await, Ok(Ended::Clean)) {
                ended = Ended::Forced;
            }
        }
        self.tracker.close();
        self.tracker.wait().await;
        self.operators_stop.cancel();
        // How that port ends says nothing of calls.
        self.operators.ended().await;
        ended
    }
}

/// What replicas keep for each other.
fn shared(redis: &Redis) -> mesh::Shared {
    let redis = Arc::new(redis.clone());
    mesh::Shared {
        budgets: Some(redis.clone()),
        answers: Some(redis.clone()),
        locks: Some(redis.clone()),
        presence: Some(redis),
    }
}

/// Has this process share with the others what changes, events and that it lives.
fn share(
    redis: Redis,
    mesh: &Mesh,
    process: Process,
    stop: &CancellationToken,
    tracker: &TaskTracker,
) {
    let changes = mesh.changes().clone();
    tracker.spawn(mesh_redis::share_changes(redis.clone(), changes, stop.child_token()));
    tracker.spawn(mesh_redis::consume(redis.clone(), mesh.intake(), stop.child_token()));
    tracker.spawn(mesh::presence::appear(Arc::new(redis), process, stop.child_token()));
}

/// Where events go.
fn bus(
    redis: Option<&Redis>,
    mesh: &Mesh,
    stop: &CancellationToken,
    tracker: &TaskTracker,
) -> Arc<dyn mesh::Bus> {
    let Some(redis) = redis else { return mesh.bus() };
    redis.register(mesh.metrics());
    let bus = mesh_redis::Bus::new(redis.clone(), mesh.bus());
    tracker.spawn(bus.clone().listen(stop.child_token()));
    Arc::new(bus)
}

fn parts(
    arguments: &Arguments,
    mesh: Mesh,
    bus: Arc<dyn mesh::Bus>,
    clock: Clock,
) -> Result<Parts> {
    let storage = &arguments.storage;
    let metrics = store::Metrics::default();
    metrics.register(mesh.metrics());
    Ok(Parts {
        mesh,
        bus,
        database: arguments.trial.of(storage.open()),
        pace: storage.pace(),
        keep: arguments.retention.keep()?,
        metrics,
        clock,
        faults: arguments.trial.faults.clone().map_or_else(Faults::none, Faults::of_file),
        index: storage.place.data.join("search"),
        users: users::Config {
            bootstrap: arguments.administrator.bootstrap(arguments.trial.demo_shop)?,
            lifetimes: arguments.retention.lifetimes(),
            ..users::Config::default()
        },
        cart: arguments.retention.carts(),
        notifications: notifications::Config::new(
            arguments.mail.smtp.as_deref(),
            &arguments.mail.mail_from,
        )?,
    })
}

fn edge(mesh: &Mesh, allowed_origins: Vec<String>) -> Result<Gateway> {
    let (channels, health) = (mesh.clone(), mesh.health().clone());
    let options = Options {
        allowed_origins,
        ready: Arc::new(move || health.is_serving()),
        ..Options::default()
    };
    let channel =
        move |contract: &str| compose::noun_of(contract).map(|noun| channels.channel(noun.name()));
    Ok(Gateway::new(&[contract::DESCRIPTORS, tradewind::DESCRIPTORS], channel, options)?)
}

async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{flag} {address} cannot be listened on; is another process there?")
    })
}

/// Who tells a process to end.
enum Told {
    /// SIGINT: someone at a terminal, who waits.
    ByPerson,
    /// SIGTERM: what runs processes.
    ByProgram,
}

/// Waits for SIGTERM or SIGINT.
async fn signal() -> Result<Told> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(Told::ByProgram),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Ok(Told::ByPerson)
        }
    }
}

/// What `mesh-key` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct MeshKeyArguments {
    /// Where the key is written; a file that exists is left alone.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Writes a new mesh key that its owner alone can read.
pub(crate) fn write_mesh_key(arguments: &MeshKeyArguments) -> Result<ExitCode> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = arguments.file.display();
    ensure!(!arguments.file.exists(), "{path} exists; remove it first if no process uses it");
    let pem = mesh::signing::SigningKey::generate_pem()?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&arguments.file)
        .with_context(|| format!("{path} cannot be written"))?;
    file.write_all(pem.as_bytes())?;
    say(&format!("wrote {path}; give it to every process with --mesh-key"));
    Ok(ExitCode::SUCCESS)
}
