//! What an operator decides about `serve`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mesh::admission;
use mesh::limits::Limits;
use mesh::tls::{EdgeCertificate, Identities};
use mesh::{Callers, Configs};
use mesh_redis::Redis;
use store::Database;

use crate::backup::{PostgresPrograms, Remembered, Source};
use crate::compose::{self, Noun};
use crate::say;

/// Where data is kept.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Storage")]
pub(crate) struct Storage {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The most connections to PostgreSQL, over all services of this process.
    #[arg(long, env = "TRADEWIND_CONNECTIONS", default_value_t = store::DEFAULT_CONNECTIONS, value_name = "COUNT")]
    pub(crate) connections: usize,
    /// Leaves tables as they are, for `tradewind migrate` to bring up to date before: a process that finds older
    /// ones refuses to start, and its role needs no right to make tables.
    #[arg(
        long,
        env = "TRADEWIND_NO_MIGRATE",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value_t = false
    )]
    pub(crate) no_migrate: bool,
    /// How long what a process had begun rests after it has died, before another goes on with it. Whoever
    /// works renews it meanwhile; the clocks of all processes must agree much better than this.
    #[arg(long, env = "TRADEWIND_TASK_LEASE_SECONDS", value_name = "SECONDS", default_value_t = store::DEFAULT_TASK_LEASE.as_secs(), value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) task_lease_seconds: u64,
    /// How long tasks that run may go on when the process ends; other replicas take up what is not done by
    /// then, at once.
    #[arg(long, env = "TRADEWIND_TASK_GRACE_SECONDS", value_name = "SECONDS", default_value_t = store::Pace::default().grace.as_secs(), value_parser = clap::value_parser!(u64).range(..=600))]
    pub(crate) task_grace_seconds: u64,
    #[command(flatten)]
    pub(crate) programs: PostgresPrograms,
}

/// Where services remember.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Storage")]
pub(crate) struct Place {
    /// The directory of the SQLite databases and of the search index.
    #[arg(long, env = "TRADEWIND_DATA", default_value = "data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A PostgreSQL database in the place of SQLite: `postgres://user:password@host:5432/name`.
    #[arg(long, env = "TRADEWIND_DATABASE", hide_env_values = true, value_name = "URL")]
    pub(crate) database: Option<String>,
}

impl Place {
    /// The databases, with so many connections where a server has them.
    pub(crate) fn open(&self, connections: usize) -> Database {
        match &self.database {
            Some(url) => Database::postgres(url.clone(), connections),
            None => Database::sqlite(self.data.clone()),
        }
    }
}

impl Storage {
    /// The databases, as a process of services opens them.
    pub(crate) fn open(&self) -> Database {
        let database = self.place.open(self.connections);
        if self.no_migrate { database.migrated() } else { database }
    }

    /// How tasks are looked for, held and let go.
    pub(crate) fn pace(&self) -> store::Pace {
        store::Pace {
            lease: Duration::from_secs(self.task_lease_seconds),
            grace: Duration::from_secs(self.task_grace_seconds),
            ..store::Pace::default()
        }
    }

    /// What a backup of it copies.
    pub(crate) fn source(&self) -> Source {
        let (place, programs) = (self.place.clone(), self.programs.clone());
        Remembered { place, programs }.source()
    }
}

/// How long things are kept that nobody needs for ever.
#[expect(clippy::struct_field_names, reason = "each field is the name of its option")]
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Retention")]
pub(crate) struct Retention {
    /// How long the answer to a call with an idempotency key is kept; a repeat after that is a new call.
    #[arg(long, env = "TRADEWIND_KEEP_KEYS_DAYS", default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) keep_keys_days: u64,
    /// How long it is noted that an event has had its effect; one that comes again after that has it again.
    #[arg(long, env = "TRADEWIND_KEEP_EVENTS_DAYS", default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) keep_events_days: u64,
    /// How long events are kept that were delivered, for `tradewind events replay`; shorter than it is noted that they
    /// had their effect.
    #[arg(long, env = "TRADEWIND_KEEP_DELIVERED_DAYS", default_value_t = 7, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) keep_delivered_days: u64,
    /// How long a session is good, with its tokens, that is not used; it is removed then.
    #[arg(long, env = "TRADEWIND_KEEP_SESSIONS_DAYS", default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) keep_sessions_days: u64,
    /// How long the cart of a guest is kept that is not touched.
    #[arg(long, env = "TRADEWIND_KEEP_GUEST_CARTS_DAYS", default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) keep_guest_carts_days: u64,
}

impl Retention {
    /// What the stores remember of what was done.
    pub(crate) fn keep(&self) -> Result<store::Keep> {
        ensure!(
            self.keep_delivered_days < self.keep_events_days,
            "--keep-delivered-days is {} and --keep-events-days {}: an event that is delivered again must still be known to whoever has had it, so the second must be longer",
            self.keep_delivered_days,
            self.keep_events_days
        );
        Ok(store::Keep {
            keys: days(self.keep_keys_days),
            events: days(self.keep_events_days),
            delivered: days(self.keep_delivered_days),
        })
    }

    /// How long sessions are good.
    pub(crate) fn lifetimes(&self) -> users::Lifetimes {
        let default = users::Lifetimes::default();
        let session_idle = days(self.keep_sessions_days);
        users::Lifetimes { session_idle, session: default.session.max(session_idle), ..default }
    }

    /// How long carts are kept.
    pub(crate) fn carts(&self) -> cart::Config {
        cart::Config { guest_idle: days(self.keep_guest_carts_days), ..cart::Config::default() }
    }
}

fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

/// What the replicas of a service share.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Between replicas")]
pub(crate) struct Shared {
    /// A Redis server that all processes of the mesh know: `redis://host:6379`, `rediss://user:password@host:6379/1`.
    /// Replicas share by it the events that they act on, budgets of calls, kept answers, and what has changed. Without
    /// it, or while it is down, events are calls of the mesh, and each process counts and keeps for itself.
    #[arg(long, env = "TRADEWIND_REDIS", hide_env_values = true, value_name = "URL")]
    pub(crate) redis: Option<String>,
}

impl Shared {
    /// The server that is named, whether it can be reached or not.
    pub(crate) fn redis(&self) -> Result<Option<Redis>> {
        self.redis.as_deref().map(Redis::open).transpose().context("--redis")
    }
}

/// Where this process listens.
#[expect(clippy::struct_field_names, reason = "each field is the name of its option")]
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Addresses")]
pub(crate) struct Listen {
    /// Where the gateway answers REST, Connect, gRPC-Web and gRPC.
    #[arg(long, env = "TRADEWIND_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Where the services answer the other processes of the mesh.
    #[arg(
        long,
        env = "TRADEWIND_MESH_LISTEN",
        default_value = "127.0.0.1:7000",
        value_name = "ADDR"
    )]
    pub(crate) mesh_listen: SocketAddr,
    /// Where operators look: metrics, health, profiles, channelz. Never a public address.
    #[arg(
        long,
        env = "TRADEWIND_ADMIN_LISTEN",
        default_value = "127.0.0.1:9464",
        value_name = "ADDR"
    )]
    pub(crate) admin_listen: SocketAddr,
    /// Pages of these origins may call the gateway; `*` means all.
    #[arg(long, env = "TRADEWIND_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub(crate) allowed_origins: Vec<String>,
    /// The certificate that the gateway shows to browsers and programs, with its chain; without one it speaks
    /// without TLS. It is read again when it changes.
    #[arg(long, env = "TRADEWIND_TLS_CERT", requires = "tls_key", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, env = "TRADEWIND_TLS_KEY", requires = "tls_cert", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How long new connections are taken after SIGTERM has ended readiness, for balancers to notice, in seconds.
    #[arg(long, env = "TRADEWIND_LAME_DUCK", default_value_t = 5, value_name = "SECONDS")]
    pub(crate) lame_duck_seconds: u64,
}

impl Listen {
    /// What the gateway shows to its clients.
    pub(crate) fn certificate(&self) -> Result<Option<EdgeCertificate>> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Ok(Some(EdgeCertificate::open(certificate, key).context("--tls-cert")?))
            }
            // The command line asks for both or none.
            _ => Ok(None),
        }
    }

    pub(crate) fn drain(&self) -> mesh::serve::Drain {
        mesh::serve::Drain {
            lame_duck: Duration::from_secs(self.lame_duck_seconds),
            ..mesh::serve::Drain::default()
        }
    }
}

/// How many calls one caller may make, and all together.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits of calls")]
pub(crate) struct Budgets {
    /// Calls of one caller without side effects, a second.
    #[arg(long, env = "TRADEWIND_READS_PER_SECOND", default_value = "200", value_name = "CALLS")]
    reads_per_second: NonZeroU32,
    /// Calls of one caller that change something, a second.
    #[arg(long, env = "TRADEWIND_WRITES_PER_SECOND", default_value = "50", value_name = "CALLS")]
    writes_per_second: NonZeroU32,
    /// Calls that check a secret, a minute, by network address.
    #[arg(
        long,
        env = "TRADEWIND_CREDENTIALS_PER_MINUTE",
        default_value = "30",
        value_name = "CALLS"
    )]
    credentials_per_minute: NonZeroU32,
    /// Calls that are answered at once, of all callers together; fewer when answers become slow. 0 sets no limit.
    #[arg(long, env = "TRADEWIND_CALLS_AT_ONCE", default_value = "2000", value_name = "CALLS")]
    calls_at_once: usize,
}

impl Budgets {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            reads_per_second: self.reads_per_second,
            writes_per_second: self.writes_per_second,
            credentials_per_minute: self.credentials_per_minute,
            at_once: (self.calls_at_once > 0).then(|| {
                let default = admission::Config::default();
                let ceiling = self.calls_at_once;
                admission::Config { ceiling, floor: default.floor.min(ceiling), ..default }
            }),
        }
    }
}

/// How mail is sent.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Mail")]
pub(crate) struct Mail {
    /// A mail server, such as `smtp://127.0.0.1:1025` or `smtps://user:password@host`. Without one, mails are kept.
    #[arg(long, env = "TRADEWIND_SMTP", hide_env_values = true, value_name = "URL")]
    pub(crate) smtp: Option<String>,
    /// Whom mail comes from.
    #[arg(
        long,
        env = "TRADEWIND_MAIL_FROM",
        default_value = "Tradewind <shop@localhost>",
        value_name = "ADDRESS"
    )]
    pub(crate) mail_from: String,
}

/// The first administrator.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "First administrator")]
pub(crate) struct Administrator {
    /// Makes an account with this address the superadmin of the mesh, when there is none. Its one-time password is
    /// said once, at each start until it has been used.
    #[arg(long, env = "TRADEWIND_ADMIN_EMAIL", value_name = "ADDRESS")]
    pub(crate) admin_email: Option<String>,
    /// A password for it in the place of a one-time password. Better by `TRADEWIND_ADMIN_PASSWORD`: other users of a
    /// machine can read flags.
    #[arg(long, env = "TRADEWIND_ADMIN_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub(crate) admin_password: Option<String>,
}

impl Administrator {
    /// The administrator to be made; of the sample shop, when no other is named.
    pub(crate) fn bootstrap(&self, demo_shop: bool) -> Result<Option<users::Bootstrap>> {
        let sample = || demo_shop.then(|| crate::demo::ADMIN_EMAIL.to_owned());
        let Some(email) = self.admin_email.clone().or_else(sample) else {
            ensure!(
                self.admin_password.is_none(),
                "--admin-password is given without the account that it is for; add --admin-email ADDRESS"
            );
            return Ok(None);
        };
        let password = match &self.admin_password {
            Some(password) => users::FirstPassword::Given(password.clone()),
            None => users::FirstPassword::OneTime(Arc::new(tell(email.clone()))),
        };
        let project = mesh::caller::DEFAULT_PROJECT.to_owned();
        Ok(Some(users::Bootstrap { email, password, project }))
    }
}

/// Says a one-time password to whoever started the process.
fn tell(email: String) -> impl Fn(&str) + Send + Sync {
    move |password| {
        say(&format!("administrator {email}, one-time password {password}"));
        say(&format!("  choose one of your own: tradewind login --email {email}"));
    }
}

/// The other processes of the mesh.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Other processes")]
pub(crate) struct Others {
    /// Where a service runs that does not run here: `orders=dns:///orders.shop:7000` (every address behind the
    /// name, asked for again), `orders=http://10.0.0.7:7000`, `orders=unix:/run/orders.sock`, or
    /// `orders=static:10.0.0.7:7000,10.0.0.8:7000`.
    #[arg(long = "at", env = "TRADEWIND_AT", value_delimiter = ';', value_name = "NAME=TARGET")]
    pub(crate) at: Vec<String>,
    /// How other processes are called: timeouts, retries, hedging, waiting, in the JSON of a gRPC service config.
    /// It is read again when it changes.
    #[arg(long, env = "TRADEWIND_SERVICE_CONFIG", value_name = "FILE")]
    pub(crate) service_config: Option<PathBuf>,
    /// The key that shows the processes of one mesh to each other; see `tradewind mesh-key`. Certificates are
    /// better: they keep what is said from others too.
    #[arg(long, env = "TRADEWIND_MESH_KEY", value_name = "FILE")]
    pub(crate) mesh_key: Option<PathBuf>,
    /// Certificates for TLS between the processes of one mesh: `ca.pem`, and `NAME.pem` with `NAME-key.pem` for
    /// each service that runs here; see `tradewind certs`. They are read again when they change.
    #[arg(long, env = "TRADEWIND_CERTS", value_name = "DIR")]
    pub(crate) certs: Option<PathBuf>,
    /// A service of your own that may call others: `pricing=catalog`.
    #[arg(
        long = "allow",
        env = "TRADEWIND_ALLOW",
        value_delimiter = ',',
        value_name = "NAME=SERVICE"
    )]
    pub(crate) allow: Vec<String>,
}

impl Others {
    /// The certificates of the services that run here.
    pub(crate) fn identities(&self, here: &[Noun]) -> Result<Option<Identities>> {
        let names: Vec<_> = here.iter().map(|noun| noun.name()).collect();
        let open = |directory: &PathBuf| Identities::open(directory, &names).context("--certs");
        self.certs.as_ref().map(open).transpose()
    }

    /// Who may call whom: what the services declare, and what is allowed besides.
    pub(crate) fn callers(&self) -> Result<Callers> {
        self.allow.iter().try_fold(compose::callers(), |callers, allowed| {
            let (name, service) = allowed
                .split_once('=')
                .with_context(|| format!("--allow {allowed} is not like pricing=catalog"))?;
            Ok(callers.allow(name, service.parse::<Noun>()?.name()))
        })
    }

    /// How other processes are called.
    pub(crate) fn calls(&self) -> Result<Configs> {
        Ok(self.service_config.as_deref().map(Configs::open).transpose()?.unwrap_or_default())
    }
}

/// What is for trying things out.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Trying things out")]
pub(crate) struct Trial {
    /// Fills the default project with sample products, and makes `admin@example.com` the first administrator
    /// unless another one is named.
    #[arg(
        long,
        env = "TRADEWIND_DEMO_SHOP",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value_t = false
    )]
    pub(crate) demo_shop: bool,
    /// Allows what must never be in production, such as `--faults`.
    #[arg(
        long,
        env = "TRADEWIND_DEVELOPMENT",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value_t = false
    )]
    pub(crate) development: bool,
    /// A file that names points at which processes stand still; see `tradewind points`.
    #[arg(long, env = "TRADEWIND_FAULTS", value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// Lets each write to SQLite wait for the disk by itself, so that the bench can measure what it saves that
    /// writers share a commit. Nobody else gains by it: no variable and no file can set it.
    #[arg(long, hide = true)]
    pub(crate) commits_alone: bool,
}

impl Trial {
    /// Refuses what must never be in production.
    pub(crate) fn check(&self) -> Result<()> {
        for (option, is_given) in
            [("--faults", self.faults.is_some()), ("--commits-alone", self.commits_alone)]
        {
            ensure!(
                !is_given || self.development,
                "{option} must never be in production; it needs --development"
            );
        }
        Ok(())
    }

    /// The databases as they are tried out.
    pub(crate) fn of(&self, database: Database) -> Database {
        if self.commits_alone { database.committing_alone() } else { database }
    }
}

/// Where the services are that run elsewhere: `orders=dns:///orders.shop:7000`.
pub(crate) fn elsewhere(at: &[String]) -> Result<HashMap<&'static str, String>> {
    let mut elsewhere = HashMap::new();
    for place in at {
        let (name, address) = place
            .split_once('=')
            .with_context(|| format!("--at {place} is not like orders=dns:///orders.shop:7000"))?;
        let noun: Noun = name.parse()?;
        ensure!(
            elsewhere.insert(noun.name(), address.to_owned()).is_none(),
            "--at names {name} twice"
        );
    }
    Ok(elsewhere)
}

/// What must hold between the services here and those elsewhere.
pub(crate) fn check_places(
    here: &[Noun],
    elsewhere: &HashMap<&'static str, String>,
    shows_itself: bool,
) -> Result<()> {
    let missing: Vec<_> = Noun::ALL
        .iter()
        .filter(|noun| !here.contains(noun) && **noun != Noun::Gateway)
        .map(|noun| noun.name())
        .filter(|name| !elsewhere.contains_key(name))
        .collect();
    if !missing.is_empty() {
        bail!(
            "these services run neither here nor at a known address: {}; name each with --at NAME=dns:///HOST:PORT",
            missing.join(", ")
        );
    }
    if let Some(noun) = here.iter().find(|noun| elsewhere.contains_key(noun.name())) {
        bail!("{} runs here, but --at names another place for it", noun.name());
    }
    ensure!(
        elsewhere.is_empty() || shows_itself,
        "processes of one mesh show themselves to each other: by certificates (`tradewind certs DIR`, then --certs DIR) or by a common key (`tradewind mesh-key FILE`, then --mesh-key FILE)"
    );
    Ok(())
}
