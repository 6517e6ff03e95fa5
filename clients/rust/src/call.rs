//! A call, from the generated client to the wire: its deadline, key, trace and token, and its tries.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use mesh::channel::Throttling;
use mesh::policy::Method;
use mesh::trace::{self, Recording};
use mesh::{Code, Refusal, Status, Trace, deadline};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::body::Body;
use tower::Service;

use crate::attempt::Answer;
use crate::client::Client;

/// The calls of a client.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) client: Client,
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Each try asks the transport itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = self.client.clone();
        let parent = client.parent.unwrap_or_else(Trace::current);
        let span = Recording::called(request.uri().path(), parent);
        async move {
            let answered = span.follow(client.make(request, span.at())).await;
            span.status(answered.as_ref().err().map_or(Code::Ok, Status::code));
            answered
        }
        .boxed()
    }
}

/// When a call ends, and what it may do until then.
struct Plan {
    method: Option<Arc<Method>>,
    deadline: Option<Instant>,
    is_safe: bool,
}

impl Client {
    async fn make(self, mut request: Request<Body>, at: Trace) -> Result<Response<Body>, Status> {
        let plan = self.plan(&mut request, at)?;
        let unary = plan.method.as_ref().is_some_and(|method| method.unary);
        if !unary {
            // A stream is tried once: what was read of it cannot be taken back.
            let mut headers = self.headers(request.headers(), &plan).await?;
            std::mem::swap(request.headers_mut(), &mut headers);
            return self.transport.send(request).await;
        }
        let (head, body) = request.into_parts();
        let message = body.collect().await?.to_bytes();
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = within(plan.deadline, self.attempt(&head, &message, &plan)).await;
            let (answer, status) = match outcome {
                Ok(answer) => match answer.failure() {
                    None => {
                        self.throttle.succeeded(Throttling::default());
                        return Ok(answer.into_response());
                    }
                    Some(status) => (Some(answer), status),
                },
                Err(status) => (None, status),
            };
            let wait = self.wait(&plan, &status, tries);
            let Some(wait) = wait else {
                return answer.map(Answer::into_response).ok_or(status);
            };
            tracing::debug!(tries, code = ?status.code(), wait_ms = wait.as_millis(), "trying a call again");
            sleep(wait).await;
        }
    }

    /// Writes what stays the same however often the call is tried.
    fn plan(&self, request: &mut Request<Body>, at: Trace) -> Result<Plan, Status> {
        let method = self.policies.method(request.uri().path()).cloned();
        let longest = method.as_ref().and_then(|method| method.deadline());
        let deadline = deadline::of(request.headers(), longest, self.deadline)?;
        let headers = request.headers_mut();
        let keyed = method.as_ref().is_some_and(|method| method.takes_key());
        if keyed && !headers.contains_key(mesh::IDEMPOTENCY_KEY) {
            put(headers, HeaderName::from_static(mesh::IDEMPOTENCY_KEY), &self.ids.next("key"));
        }
        if let Some(key) = &self.publishable_key {
            put(headers, HeaderName::from_static(mesh::identity::PUBLISHABLE_KEY), key);
        }
        if let Some(parent) = at.traceparent() {
            put(headers, trace::TRACEPARENT, &parent);
        }
        let is_safe = method.as_ref().is_some_and(|method| method.is_safe_to_repeat(keyed));
        Ok(Plan { method, deadline, is_safe })
    }

    /// The headers of a try: what remains of the deadline, and a token that is good.
    async fn headers(&self, headers: &HeaderMap, plan: &Plan) -> Result<HeaderMap, Status> {
        let mut headers = headers.clone();
        if let Some(deadline) = plan.deadline {
            put(&mut headers, deadline::HEADER, &deadline::remaining(deadline)?);
        }
        if let Some(tokens) = &self.tokens
            && !headers.contains_key(http::header::AUTHORIZATION)
        {
            let token = tokens.token().await?;
            put(&mut headers, http::header::AUTHORIZATION, &format!("Bearer {token}"));
        }
        Ok(headers)
    }

    async fn attempt(
        &self,
        head: &http::request::Parts,
        message: &Bytes,
        plan: &Plan,
    ) -> Result<Answer, Status> {
        let mut head = head.clone();
        head.headers = self.headers(&head.headers, plan).await?;
        let request = Request::from_parts(head, Body::new(Full::new(message.clone())));
        Answer::read(self.transport.send(request).await?).await
    }

    /// How long to wait before the next try, where there is one in time.
    fn wait(&self, plan: &Plan, status: &Status, tries: u32) -> Option<Duration> {
        let wait = self.retry.wait(status, tries, rand::random())?;
        if !self.throttle.failed(Throttling::default()) || !plan.is_safe {
            return None;
        }
        let in_time = plan.deadline.is_none_or(|deadline| Instant::now() + wait < deadline);
        in_time.then_some(wait)
    }
}

async fn within<T>(
    deadline: Option<Instant>,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    match deadline {
        Some(deadline) => {
            timeout_at(deadline, call).await.map_err(|_| Status::from(Refusal::DeadlineExceeded))?
        }
        None => call.await,
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Keys, tokens and durations are visible ASCII, as they were made.
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use mesh::policy::Policies;

    #[test]
    fn what_is_safe_is_what_the_contracts_say() {
        let policies = Policies::read(&[contract::DESCRIPTORS, tradewind::DESCRIPTORS]).unwrap();
        let safe = |path: &str, has_key| policies.method(path).unwrap().is_safe_to_repeat(has_key);

        assert!(safe("/tradewind.catalog.v1.CatalogService/SearchProducts", false));
        assert!(safe("/tradewind.users.v1.UsersService/SetUserRoles", false));
        assert!(safe("/tradewind.orders.v1.OrdersService/PlaceOrder", true));
        assert!(!safe("/tradewind.orders.v1.OrdersService/PlaceOrder", false));
        // A refresh token is good once, and a password is tried once.
        assert!(!safe("/tradewind.users.v1.UsersService/RefreshSession", true));
        assert!(!safe("/tradewind.users.v1.UsersService/LogIn", true));
    }
}
