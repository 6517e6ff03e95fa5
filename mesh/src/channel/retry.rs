//! Tries one after the other: retries as gRFC A6 has them, of calls that the contract says may be repeated.

use std::time::Duration;

use http::Response;
use tokio::time::{Instant, sleep};
use tonic::body::Body;
use tonic::{Code, Status};

use super::attempt::{Call, Outcome};
use super::config::Retry;
use super::remote::Remote;
use super::wire::Pushback;

impl Remote {
    /// Tries a call until it has an answer, or a failure that time does not heal.
    pub(super) async fn tried(&self, call: &Call, retry: &Retry) -> Result<Response<Body>, Status> {
        let (mut tries, mut was_unprocessed, mut is_transparent) = (0, false, false);
        loop {
            let outcome = self.attempt(call, tries, is_transparent).await;
            let Some(code) = outcome.failed else {
                self.throttle.succeeded(self.configs.now().throttling);
                return outcome.answer;
            };
            // Once, and it counts as no try: the other side has not begun it.
            if outcome.is_unprocessed && !was_unprocessed && call.can_be_sent_again() {
                (was_unprocessed, is_transparent) = (true, true);
                continue;
            }
            is_transparent = false;
            tries += 1;
            let Some(wait) = self.wait(call, retry, code, &outcome, tries) else {
                return outcome.answer;
            };
            tracing::debug!(tries, ?code, wait_ms = wait.as_millis(), "trying a call again");
            call.underway.retried(wait);
            sleep(wait).await;
        }
    }

    /// How long to wait before the next try, where there is to be one.
    fn wait(
        &self,
        call: &Call,
        retry: &Retry,
        code: Code,
        outcome: &Outcome,
        tries: u32,
    ) -> Option<Duration> {
        let pushback = outcome.pushback;
        // Whoever sheds load has not begun the call, and says when it may come back.
        let is_shed =
            code == Code::ResourceExhausted && matches!(pushback, Some(Pushback::After(_)));
        let is_transient = retry.codes.contains(&code) || is_shed;
        let may = is_transient && self.throttle.failed(self.configs.now().throttling);
        if !may || !call.is_safe || tries >= retry.attempts {
            return None;
        }
        let wait = match pushback {
            Some(Pushback::Never) => return None,
            Some(Pushback::After(wait)) => wait,
            None => retry.wait(tries, rand::random()),
        };
        call.has_time_for(wait).then_some(wait)
    }
}

impl Call {
    /// Whether there is an answer to be had after waiting.
    pub(super) fn has_time_for(&self, wait: Duration) -> bool {
        self.deadline.is_none_or(|deadline| Instant::now() + wait < deadline)
    }
}
