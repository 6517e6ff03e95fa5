//! What operators say of calls: a gRPC service config, in the JSON that every gRPC implementation reads.
//!
//! The contract decides what is safe to repeat; this says how often, how soon and for how long.

mod json;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tonic::Code;

pub use self::json::MalformedConfig;
use super::throttle::Throttling;

/// How often a file is looked at for changes.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// How calls are made of which nothing is said.
static UNSAID: LazyLock<Arc<MethodConfig>> = LazyLock::new(Arc::default);

/// How calls are made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceConfig {
    /// By `service/method`, by `service/`, and by nothing for all others.
    methods: HashMap<String, Arc<MethodConfig>>,
    pub(super) throttling: Throttling,
}

/// How one RPC is called.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct MethodConfig {
    /// What no call takes longer than.
    pub(super) timeout: Option<Duration>,
    /// Waits while nobody can be reached, in the place of failing.
    pub(super) wait_for_ready: bool,
    /// The longest request, in bytes.
    pub(super) longest_request: Option<usize>,
    /// The longest message of an answer, in bytes.
    pub(super) longest_response: Option<usize>,
    /// What is done beyond one try.
    pub(super) more: More,
}

/// What is done beyond one try.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum More {
    Retry(Retry),
    Hedge(Hedge),
}

/// Tries one after the other, while they fail.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Retry {
    /// How often a call is tried in all.
    pub(super) attempts: u32,
    pub(super) first_wait: Duration,
    pub(super) longest_wait: Duration,
    pub(super) multiplier: f64,
    pub(super) codes: Vec<Code>,
}

/// Tries beside each other, while none has succeeded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hedge {
    pub(super) attempts: u32,
    /// After which time another one goes out.
    pub(super) delay: Duration,
    /// Failures after which the others go on.
    pub(super) non_fatal: Vec<Code>,
}

impl Default for More {
    fn default() -> Self {
        Self::Retry(Retry::default())
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_wait: Duration::from_millis(50),
            longest_wait: Duration::from_secs(1),
            multiplier: 2.0,
            codes: vec![Code::Unavailable],
        }
    }
}

impl Retry {
    /// The wait before the next try, after so many; `chance` is between 0 and 1.
    pub(super) fn wait(&self, tries: u32, chance: f64) -> Duration {
        let grown =
            self.multiplier.powi(i32::try_from(tries).unwrap_or(i32::MAX).saturating_sub(1));
        let wait = self.first_wait.as_secs_f64() * grown;
        let wait = wait.min(self.longest_wait.as_secs_f64());
        Duration::try_from_secs_f64(wait * (0.8 + 0.4 * chance.clamp(0.0, 1.0)))
            .unwrap_or(self.longest_wait)
    }
}

impl ServiceConfig {
    /// Reads the JSON of a service config. One field that is wrong refuses it all (gRFC A21); fields that
    /// are not known are left out.
    pub fn from_json(text: &str) -> Result<Self, MalformedConfig> {
        json::read(text)
    }

    /// Every call is tried once, by whoever tries again itself. What has not left is still sent elsewhere.
    #[must_use]
    pub fn once() -> Self {
        let retry = Retry { attempts: 1, ..Retry::default() };
        let config = MethodConfig { more: More::Retry(retry), ..MethodConfig::default() };
        Self { methods: HashMap::from([(String::new(), Arc::new(config))]), ..Self::default() }
    }

    /// How the RPC of a path is called.
    pub(super) fn of(&self, path: &str) -> Arc<MethodConfig> {
        let name = path.trim_start_matches('/');
        let service = name.split_inclusive('/').next().unwrap_or_default();
        let said = if self.methods.is_empty() {
            None
        } else {
            [name, service, ""].into_iter().find_map(|name| self.methods.get(name))
        };
        Arc::clone(said.unwrap_or(&UNSAID))
    }
}

/// A service config that may be read anew while calls are made. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Configs {
    now: Arc<ArcSwap<ServiceConfig>>,
    file: Option<Arc<Path>>,
}

/// A service config that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("the service config {path} cannot be read")]
    Unreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it cannot.
        source: std::io::Error,
    },
    /// It is none.
    #[error("the service config {path} is refused: {source}")]
    Malformed {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        source: MalformedConfig,
    },
}

impl Configs {
    /// The same config as long as the process lives.
    #[must_use]
    pub fn fixed(config: ServiceConfig) -> Self {
        Self { now: Arc::new(ArcSwap::from_pointee(config)), file: None }
    }

    /// The config of a file, which [`Configs::follow`] reads again when it has changed.
    pub fn open(path: &Path) -> Result<Self, ConfigFileError> {
        let config = ArcSwap::from_pointee(read(path)?);
        Ok(Self { now: Arc::new(config), file: Some(path.into()) })
    }

    pub(super) fn now(&self) -> arc_swap::Guard<Arc<ServiceConfig>> {
        self.now.load()
    }

    /// Takes over each change of the file, for ever. A config that is refused leaves the last one in place.
    pub async fn follow(self) {
        let Some(path) = &self.file else { return };
        let mut refused = None;
        loop {
            tokio::time::sleep(LOOKED_AT_EVERY).await;
            match read(path) {
                Ok(config) => {
                    refused = None;
                    if config != **self.now.load() {
                        tracing::info!(path = %path.display(), "a new service config is in use");
                        self.now.store(Arc::new(config));
                    }
                }
                Err(error) => {
                    let why = error.to_string();
                    if refused.as_ref() != Some(&why) {
                        tracing::warn!("{why}; the last one stays in use");
                        refused = Some(why);
                    }
                }
            }
        }
    }
}

fn read(path: &Path) -> Result<ServiceConfig, ConfigFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigFileError::Unreadable { path: path.into(), source })?;
    ServiceConfig::from_json(&text)
        .map_err(|source| ConfigFileError::Malformed { path: path.into(), source })
}
