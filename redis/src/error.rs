//! Why Redis did not do what it was asked.

use redis::RedisError;

/// Why Redis did not do what it was asked. Whoever asked does without it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("it is not like redis://host:6379, rediss://host:6379 or redis+unix:///run/redis.sock")]
    Url(#[source] RedisError),
    /// It failed a moment ago, and is not asked until it answers again.
    #[error("Redis has failed and is not asked until it answers again")]
    Resting,
    /// It failed now.
    #[error("Redis failed")]
    Failed(#[from] RedisError),
}
