//! A network that answers what a test has written down, and remembers what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use mesh::{Channel, Code, Detail, Status, clock, refuse};
use tonic::body::Body;
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use tradewind::users::v1::Tokens;
use tradewind_client::Client;

/// What becomes of one try.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// A message, encoded.
    Answers(Vec<u8>),
    /// A refusal, with the time to come again where there is one.
    Refuses(Code, Option<Duration>),
    /// Nothing, for ever.
    Hangs,
}

/// One try, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Try {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What happens, one try after another; afterwards, everything is answered with nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    outcomes: Arc<Mutex<VecDeque<Outcome>>>,
    tries: Arc<Mutex<Vec<Try>>>,
}

impl Script {
    pub(crate) fn of(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let outcomes = Arc::new(Mutex::new(outcomes.into_iter().collect()));
        Self { outcomes, tries: Arc::default() }
    }

    pub(crate) fn client(&self) -> Client {
        Client::over(self.channel()).unwrap()
    }

    pub(crate) fn tries(&self) -> Vec<Try> {
        self.tries.lock().unwrap().clone()
    }

    fn channel(&self) -> Channel {
        let script = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
            let script = script.clone();
            async move {
                let path = request.uri().path().to_owned();
                let seen = Try { path, headers: request.headers().clone() };
                script.tries.lock().unwrap().push(seen);
                let outcome = script.outcomes.lock().unwrap().pop_front();
                match outcome.unwrap_or(Outcome::Answers(Vec::new())) {
                    Outcome::Answers(message) => Ok(answer(&message)),
                    Outcome::Refuses(code, retry_after) => Ok(refusal(code, retry_after)),
                    Outcome::Hangs => std::future::pending().await,
                }
            }
        }))
    }
}

/// A message and an OK after it, as gRPC frames them.
fn answer(message: &[u8]) -> Response<Body> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let framed = [&[0], length.as_slice(), message].concat();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let trailers = std::future::ready(Some(Ok::<_, Infallible>(trailers)));
    let body = Body::new(Full::<bytes::Bytes>::from(framed).with_trailers(trailers));
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn refusal(code: Code, retry_after: Option<Duration>) -> Response<Body> {
    let detail = Detail { retry_after, ..Detail::default() };
    let status: Status = refuse(code, "test", "TEST", "as the script has it", detail);
    status.into_http()
}

/// Tokens that end so many seconds after the time of the system.
pub(crate) fn tokens(name: &str, seconds: i64) -> Tokens {
    let now = mesh::Clock::system().now_micros();
    Tokens {
        access_token: format!("access-{name}"),
        refresh_token: format!("refresh-{name}"),
        expire_time: Some(clock::timestamp(now + seconds * 1_000_000)),
        subject: "usr_1".into(),
    }
}
