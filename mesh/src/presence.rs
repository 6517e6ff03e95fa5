//! A process that says that it lives, for as long as it takes calls.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::replicas::{Process, SharedPresence};

/// How often it says so, and how long it is believed.
const SAID_EVERY: Duration = Duration::from_secs(2);
const BELIEVED: Duration = Duration::from_secs(6);

/// Says again and again that a process lives, until the token is cancelled; then that it leaves.
pub async fn appear(presence: Arc<dyn SharedPresence>, process: Process, stop: CancellationToken) {
    loop {
        // Where nobody is told, the next time is soon enough.
        presence.announce(&process, BELIEVED).await;
        if stop.run_until_cancelled(sleep(SAID_EVERY)).await.is_none() {
            return presence.leave(&process).await;
        }
    }
}
