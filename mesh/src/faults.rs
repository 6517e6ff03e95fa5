//! Places where a process can be made to stand still, so that tests can kill it there.

use std::path::PathBuf;
use std::sync::Arc;

/// The faults that a process was started with; mostly none. Clones are the same faults.
///
/// A process passes named points, such as `checkout/reserve`. Where the fault file names a point, the first
/// to pass it writes `<file>.reached` and waits until the process is killed.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    file: Option<Arc<PathBuf>>,
}

impl Faults {
    /// No faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The faults that a file names, one point a line. It is read at each point, so it can change.
    #[must_use]
    pub fn of_file(file: PathBuf) -> Self {
        Self { file: Some(Arc::new(file)) }
    }

    /// Passes a point of a process: `<process>/<step>`.
    pub async fn pass(&self, process: &str, step: &str) {
        let Some(file) = &self.file else { return };
        let point = format!("{process}/{step}");
        let named = tokio::fs::read_to_string(file.as_path()).await.unwrap_or_default();
        if !named.lines().any(|line| line.trim() == point) {
            return;
        }
        tracing::warn!(point, "standing still, as the fault file asks");
        let reached = file.with_extension("reached");
        if let Err(error) = tokio::fs::write(&reached, &point).await {
            tracing::error!(%error, "{} cannot be written", reached.display());
        }
        std::future::pending::<()>().await;
    }
}
