//! The life of one connection: it ends with its age, when it is idle, or with its server.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulConnection;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::calls::Calls;
use super::config::Age;

/// What ends a connection besides its client.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) age: Age,
    pub(super) calls: Arc<Calls>,
    pub(super) ending: Ending,
    /// Where in its range each of the times is that differ by connection, from 0 to 1.
    pub(super) share: f64,
}

/// When the server ends.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) stop: CancellationToken,
    pub(super) lame_duck: Duration,
    /// The server takes no more connections.
    pub(super) closed: CancellationToken,
}

impl Life {
    /// Lives until the client leaves or the connection has to end, and ends it gracefully: hyper says GOAWAY with
    /// the last id there is, pings, and when that is answered says GOAWAY with the last that it takes (gRFC A9).
    pub(super) async fn live<C: GracefulConnection>(self, connection: C) -> Result<(), C::Error> {
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            why = self.end() => tracing::debug!(why, "a connection takes no more calls"),
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            // What has not ended by then is cut.
            () = sleep(self.age.grace) => Ok(()),
        }
    }

    async fn end(&self) -> &'static str {
        tokio::select! {
            () = sleep(jittered(self.age.longest, self.share)) => "its age",
            () = self.idle() => "no calls",
            () = self.ending.told(self.share) => "the end of the server",
        }
    }

    /// Waits until there has been no call for as long as may be.
    async fn idle(&self) {
        loop {
            let now = Instant::now();
            let until = self.calls.idle_since().unwrap_or(now) + self.age.idle;
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl Ending {
    /// Waits for the moment at which a connection is told. What is open when the end begins moves over the lame
    /// duck, not all at once; what comes meanwhile may stay until the server takes no more.
    async fn told(&self, share: f64) {
        if !self.stop.is_cancelled() {
            self.stop.cancelled().await;
            let moment = sleep(self.lame_duck.mul_f64(share));
            self.closed.run_until_cancelled(moment).await;
            return;
        }
        self.closed.cancelled().await;
    }
}

/// A tenth less to a tenth more: clients that connected together do not all move together.
fn jittered(longest: Duration, share: f64) -> Duration {
    longest.mul_f64(0.9 + 0.2 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_differs_by_a_tenth_either_way() {
        let age = Duration::from_secs(100);

        assert_eq!(jittered(age, 0.0), Duration::from_secs(90));
        assert_eq!(jittered(age, 0.5), Duration::from_secs(100));
        assert_eq!(jittered(age, 1.0), Duration::from_secs(110));
    }
}
