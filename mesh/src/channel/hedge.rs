//! Tries beside each other: hedging as gRFC A6 has it, of calls without side effects.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Response;
use tokio::time::{Instant, sleep_until};
use tonic::Status;
use tonic::body::Body;

use super::attempt::{Call, Outcome};
use super::config::Hedge;
use super::remote::Remote;
use super::wire::Pushback;

impl Remote {
    /// Sends a call to one endpoint after the other until one answers; the others are let go of.
    pub(super) async fn hedged(
        &self,
        call: &Call,
        hedge: &Hedge,
    ) -> Result<Response<Body>, Status> {
        let mut running = FuturesUnordered::new();
        let (mut sent, mut next) = (0, Some(Instant::now()));
        let mut last = None;
        loop {
            if sent >= hedge.attempts || (sent > 0 && !call.is_safe) {
                next = None;
            }
            tokio::select! {
                biased;
                Some(outcome) = running.next(), if !running.is_empty() => {
                    let outcome: Outcome = outcome;
                    let Some(code) = outcome.failed else {
                        self.throttle.succeeded(self.configs.now().throttling);
                        return outcome.answer;
                    };
                    if !hedge.non_fatal.contains(&code) {
                        return outcome.answer;
                    }
                    let may = self.throttle.failed(self.configs.now().throttling);
                    next = match outcome.pushback {
                        Some(Pushback::After(wait)) if may => Some(Instant::now() + wait),
                        None if may => Some(Instant::now()),
                        Some(_) | None => None,
                    };
                    last = Some(outcome.answer);
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    if sent > 0 {
                        call.underway.hedged();
                    }
                    running.push(self.attempt(call, sent, false));
                    sent += 1;
                    next = Some(Instant::now() + hedge.delay);
                }
                else => break,
            }
        }
        // The first is always sent, and whatever was sent has come to something.
        last.unwrap_or_else(|| Err(crate::failure::Refusal::Unavailable(self.service).into()))
    }
}
