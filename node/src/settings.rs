//! What an operator decides about `serve`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mesh::limits::Limits;

use crate::compose::Noun;

/// Where data is kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Storage {
    /// The directory of the SQLite databases and of the search index.
    #[arg(long, env = "TRADEWIND_DATA", default_value = "data")]
    pub(crate) data: PathBuf,
    /// A PostgreSQL database in the place of SQLite: `postgres://user:password@host:5432/name`.
    #[arg(long, env = "TRADEWIND_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// The most connections to PostgreSQL, over all services of this process.
    #[arg(long, env = "TRADEWIND_CONNECTIONS", default_value_t = 24)]
    pub(crate) connections: usize,
    /// How long what a process had begun rests after it has died, before another goes on with it. Whoever
    /// works renews it meanwhile; the clocks of all processes must agree much better than this.
    #[arg(long, env = "TRADEWIND_TASK_LEASE_SECONDS", default_value_t = store::DEFAULT_TASK_LEASE.as_secs(), value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) task_lease_seconds: u64,
}

/// Where this process listens.
#[expect(clippy::struct_field_names, reason = "each field is the name of its option")]
#[derive(Debug, clap::Args)]
pub(crate) struct Listen {
    /// Where the gateway answers REST, Connect, gRPC-Web and gRPC.
    #[arg(long, env = "TRADEWIND_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where the services answer the other processes of the mesh.
    #[arg(long, env = "TRADEWIND_MESH_LISTEN", default_value = "127.0.0.1:7000")]
    pub(crate) mesh_listen: SocketAddr,
    /// Where operators read /metrics, /healthz and /readyz. Never a public address.
    #[arg(long, env = "TRADEWIND_ADMIN_LISTEN", default_value = "127.0.0.1:9464")]
    pub(crate) admin_listen: SocketAddr,
    /// Pages of these origins may call the gateway; `*` means all.
    #[arg(long, env = "TRADEWIND_ALLOWED_ORIGINS", value_delimiter = ',')]
    pub(crate) allowed_origins: Vec<String>,
    /// How long new connections are taken after readiness has ended, for balancers to notice, in seconds.
    #[arg(long, env = "TRADEWIND_LAME_DUCK", default_value_t = 0)]
    pub(crate) lame_duck_seconds: u64,
}

impl Listen {
    pub(crate) fn drain(&self) -> mesh::serve::Drain {
        mesh::serve::Drain {
            lame_duck: Duration::from_secs(self.lame_duck_seconds),
            ..mesh::serve::Drain::default()
        }
    }
}

/// How many calls one caller may make.
#[derive(Debug, clap::Args)]
pub(crate) struct Budgets {
    /// Calls without side effects, a second.
    #[arg(long, env = "TRADEWIND_READS_PER_SECOND", default_value = "200")]
    reads_per_second: NonZeroU32,
    /// Calls that change something, a second.
    #[arg(long, env = "TRADEWIND_WRITES_PER_SECOND", default_value = "50")]
    writes_per_second: NonZeroU32,
    /// Calls that check a secret, a minute, by network address.
    #[arg(long, env = "TRADEWIND_CREDENTIALS_PER_MINUTE", default_value = "30")]
    credentials_per_minute: NonZeroU32,
}

impl Budgets {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            reads_per_second: self.reads_per_second,
            writes_per_second: self.writes_per_second,
            credentials_per_minute: self.credentials_per_minute,
        }
    }
}

/// How mail is sent.
#[derive(Debug, clap::Args)]
pub(crate) struct Mail {
    /// A mail server, such as `smtp://127.0.0.1:1025` or `smtps://user:password@host`. Without one, mails are kept.
    #[arg(long, env = "TRADEWIND_SMTP", hide_env_values = true)]
    pub(crate) smtp: Option<String>,
    /// Whom mail comes from.
    #[arg(long, env = "TRADEWIND_MAIL_FROM", default_value = "Tradewind <shop@localhost>")]
    pub(crate) mail_from: String,
}

/// The first administrator.
#[derive(Debug, clap::Args)]
pub(crate) struct Administrator {
    /// Makes an account with this address an administrator, when there is none.
    #[arg(long, env = "TRADEWIND_ADMIN_EMAIL", requires = "admin_password")]
    pub(crate) admin_email: Option<String>,
    /// The administrator's first password.
    #[arg(long, env = "TRADEWIND_ADMIN_PASSWORD", hide_env_values = true)]
    pub(crate) admin_password: Option<String>,
}

/// Where the services are that run elsewhere: `orders=http://10.0.0.7:7000`.
pub(crate) fn elsewhere(at: &[String]) -> Result<HashMap<&'static str, String>> {
    let mut elsewhere = HashMap::new();
    for place in at {
        let (name, address) = place
            .split_once('=')
            .with_context(|| format!("--at {place} is not like orders=http://10.0.0.7:7000"))?;
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
    has_key: bool,
) -> Result<()> {
    let missing: Vec<_> = Noun::ALL
        .iter()
        .filter(|noun| !here.contains(noun) && **noun != Noun::Gateway)
        .map(|noun| noun.name())
        .filter(|name| !elsewhere.contains_key(name))
        .collect();
    if !missing.is_empty() {
        bail!(
            "these services run neither here nor at a known address: {}; name each with --at NAME=http://HOST:PORT",
            missing.join(", ")
        );
    }
    if let Some(noun) = here.iter().find(|noun| elsewhere.contains_key(noun.name())) {
        bail!("{} runs here, but --at names another place for it", noun.name());
    }
    ensure!(
        elsewhere.is_empty() || has_key,
        "processes of one mesh need a common key: make one with `tradewind mesh-key FILE`, give it to each with --mesh-key FILE"
    );
    Ok(())
}
