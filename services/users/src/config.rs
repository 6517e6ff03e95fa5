//! What the service is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tradewind::money::v1::Money;
use tradewind::users::v1::Project;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the service is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The first administrator of the mesh, made at start unless a user holds that address.
    pub bootstrap: Option<Bootstrap>,
    /// What the default project, and that of the first administrator, are when they are first made.
    pub project: Project,
    /// How passwords are hashed.
    pub hashing: Hashing,
    /// How long tokens, sessions and keys are good.
    pub lifetimes: Lifetimes,
    /// When logins are refused because too many have failed.
    pub throttle: Throttle,
    /// How often what has expired is removed, and keys are rotated when it is their time.
    pub sweep_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bootstrap: None,
            project: Project {
                display_name: "Default".into(),
                currency_code: "EUR".into(),
                shipping_rate: Some(Money::new(490, "EUR")),
                tax_basis_points: 1900,
                tax_inclusive: true,
                ..Project::default()
            },
            hashing: Hashing::default(),
            lifetimes: Lifetimes::default(),
            throttle: Throttle::default(),
            sweep_every: 10 * MINUTE,
        }
    }
}

/// The first administrator.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// Their address.
    pub email: String,
    /// How they sign in at first.
    pub password: FirstPassword,
    /// Their project, which is made too.
    pub project: String,
}

/// How the first administrator signs in at first.
#[derive(Clone)]
pub enum FirstPassword {
    /// By a password that someone has chosen; it does not print.
    Given(String),
    /// By a one-time password, told here. Until it has been used, each start makes another one.
    OneTime(Arc<dyn Fn(&str) + Send + Sync>),
}

impl fmt::Debug for FirstPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given",
            Self::OneTime(_) => "OneTime",
        })
    }
}

/// How passwords are hashed: argon2id, at first with what OWASP asks for.
#[derive(Debug, Clone)]
pub struct Hashing {
    /// Memory for one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes of the memory.
    pub lanes: u32,
    /// Threads that hash; each takes the memory of one hash.
    pub threads: usize,
    /// Passwords that may wait for a thread; one more is refused.
    pub queue: usize,
}

impl Default for Hashing {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Half of the cores: logins must leave the rest of the mesh room to work.
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1, threads: cores.div_ceil(2), queue: 64 }
    }
}

/// How long tokens, sessions and keys are good.
#[derive(Debug, Clone)]
pub struct Lifetimes {
    /// An access token of a user.
    pub user_token: Duration,
    /// An access token of a guest.
    pub guest_token: Duration,
    /// A session that is not refreshed.
    pub session_idle: Duration,
    /// A session, however often it is refreshed.
    pub session: Duration,
    /// A signing key, before the next one takes its place.
    pub signing_key: Duration,
    /// A one-time password.
    pub one_time_password: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            user_token: 5 * MINUTE,
            guest_token: 60 * MINUTE,
            session_idle: 30 * DAY,
            session: 90 * DAY,
            signing_key: 30 * DAY,
            one_time_password: 7 * DAY,
        }
    }
}

/// When logins are refused because too many have failed.
#[derive(Debug, Clone)]
pub struct Throttle {
    /// How many failures of one account go unpunished, less one.
    pub account_failures: u32,
    /// The same of one network address, over all accounts.
    pub address_failures: u32,
    /// The first wait; each further failure doubles it.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// How long failures are counted together, after the last one and its wait.
    pub remember: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            account_failures: 5,
            address_failures: 30,
            first_wait: MINUTE / 2,
            longest_wait: 15 * MINUTE,
            remember: 15 * MINUTE,
        }
    }
}
