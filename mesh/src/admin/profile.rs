//! Where a process spends its time and its memory, as pprof reads it.

use std::time::Duration;

use async_trait::async_trait;

/// Takes profiles of this process, in the format of pprof.
#[async_trait]
pub trait Profiler: Send + Sync + 'static {
    /// Where time is spent from now on, for so long.
    async fn cpu(&self, time: Duration) -> Result<Vec<u8>, NoProfile>;

    /// What holds memory now.
    async fn heap(&self) -> Result<Vec<u8>, NoProfile>;
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum NoProfile {
    /// One is being taken already.
    #[error("a profile is being taken; ask again when it is done")]
    Busy,
    /// The process was not started for it.
    #[error("{0}")]
    Off(&'static str),
    /// It did not work.
    #[error("the profile could not be taken: {0}")]
    Failed(String),
}
