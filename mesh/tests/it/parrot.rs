//! The parrot: it does what it is asked and tells what it saw.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::stream::{self, Stream, StreamExt};
use mesh::{
    Code, Context, Detail, HasContext, Peer, Principal, Request, Response, Service, Status,
    async_trait,
};
use mesh_testing::parrot::v1::parrot_service_server::{ParrotService, ParrotServiceServer};
use mesh_testing::parrot::v1::relay_service_server::{RelayService, RelayServiceServer};
use mesh_testing::parrot::v1::{Deed, Errand, Report, parrot_service_client::ParrotServiceClient};
use tokio::sync::watch;
use tonic::Streaming;

/// The reason of what the parrot refuses.
pub(crate) const REASON: &str = "NOT_IN_THE_MOOD";
/// Who refuses it.
pub(crate) const DOMAIN: &str = "parrot.test";

/// Clones are the same bird.
#[derive(Clone)]
pub(crate) struct Parrot {
    calls: Arc<AtomicU32>,
    running: Arc<watch::Sender<usize>>,
    released: Arc<watch::Sender<bool>>,
}

impl Parrot {
    pub(crate) fn new() -> Self {
        Self {
            calls: Arc::default(),
            running: Arc::new(watch::Sender::new(0)),
            released: Arc::new(watch::Sender::new(false)),
        }
    }

    pub(crate) fn service(&self) -> Service {
        Service::new("parrot").answer(ParrotServiceServer::new(self.clone()))
    }

    /// How many calls reached a handler.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits until so many handlers and streams are at work.
    pub(crate) async fn until_running(&self, number: usize) {
        let mut running = self.running.subscribe();
        running.wait_for(|now| *now == number).await.unwrap();
    }

    /// Ends every wait.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    fn enter(&self) -> Working {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.running.send_modify(|running| *running += 1);
        Working { running: Arc::clone(&self.running) }
    }

    async fn once(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        let _working = self.enter();
        let report = self.report(request.context(), request.get_ref());
        self.perform(request.get_ref().deed()).await?;
        Ok(Response::new(report))
    }

    async fn perform(&self, deed: Deed) -> Result<(), Status> {
        match deed {
            Deed::Unspecified | Deed::Chatter => Ok(()),
            Deed::Wait => {
                let mut released = self.released.subscribe();
                let _ = released.wait_for(|released| *released).await;
                Ok(())
            }
            Deed::Panic => panic!("the parrot was asked to"),
            Deed::Refuse => Err(refusal("not today", Detail::default())),
            Deed::Fail => Err(Status::new(Code::DataLoss, "the cage is empty")),
            Deed::Lament => Err(refusal(&"ß".repeat(20_000), lament())),
        }
    }

    fn report(&self, context: &Context, errand: &Errand) -> Report {
        let caller = &context.caller;
        let principal = match caller.principal() {
            Principal::Nobody => "nobody",
            Principal::Guest { .. } => "guest",
            Principal::User { .. } => "user",
            Principal::Service { .. } => "service",
        };
        let left = context.deadline.map(|at| at - tokio::time::Instant::now());
        Report {
            calls: self.calls(),
            text: errand.text.clone(),
            principal: principal.into(),
            actor: caller.actor().into(),
            subject: caller.subject().unwrap_or_default().into(),
            project: caller.project().into(),
            remaining_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap()),
            address: context.address().unwrap_or_default().into(),
            idempotency_key: context.idempotency_key.as_deref().unwrap_or_default().into(),
            padding: vec![7; usize::try_from(errand.padding).unwrap()],
        }
    }
}

/// A handler or a stream at work, until it is dropped.
struct Working {
    running: Arc<watch::Sender<usize>>,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.running.send_modify(|running| *running -= 1);
    }
}

fn refusal(message: &str, detail: Detail) -> Status {
    mesh::refuse(Code::FailedPrecondition, DOMAIN, REASON, message, detail)
}

/// Far more than headers hold, of everything.
fn lament() -> Detail {
    let many = || (0..2000).map(|number| (format!("field_{number}"), "is so sad".to_owned()));
    let conditions = many().map(|(name, text)| ("MOOD".to_owned(), name, text)).collect();
    Detail {
        metadata: many().collect(),
        fields: many().collect(),
        preconditions: conditions,
        retry_after: Some(std::time::Duration::from_secs(7)),
    }
}

type Reports = Pin<Box<dyn Stream<Item = Result<Report, Status>> + Send>>;

#[async_trait]
impl ParrotService for Parrot {
    async fn act(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn act_signed_in(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn act_permitted(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn act_internal(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn read(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn write(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn unlock(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn recall(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    async fn recall_own(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        self.once(request).await
    }

    type ChatterStream = Reports;

    async fn chatter(&self, request: Request<Errand>) -> Result<Response<Reports>, Status> {
        let working = self.enter();
        let parrot = self.clone();
        let report = self.report(request.context(), request.get_ref());
        let deed = request.get_ref().deed();
        let number = match deed {
            Deed::Chatter => usize::MAX,
            _ => usize::try_from(request.get_ref().reports).unwrap(),
        };
        let reports = stream::repeat_with(move || Ok(report.clone())).take(number);
        let end = stream::once(async move {
            // What was said is on its way before the end comes.
            tokio::task::yield_now().await;
            let done = parrot.perform(deed).await;
            drop(working);
            done
        });
        let end = end.filter_map(|done| std::future::ready(done.err().map(Err)));
        Ok(Response::new(reports.chain(end).boxed()))
    }

    async fn gather(
        &self,
        request: Request<Streaming<Errand>>,
    ) -> Result<Response<Report>, Status> {
        let _working = self.enter();
        let context = request.context().clone();
        let mut errands = request.into_inner();
        let mut number = 0;
        while let Some(errand) = errands.message().await? {
            self.perform(errand.deed()).await?;
            number += 1;
        }
        let text = number.to_string();
        Ok(Response::new(self.report(&context, &Errand { text, ..Errand::default() })))
    }
}

/// Passes errands on to the parrot, wherever it is.
pub(crate) struct Relay {
    pub(crate) parrot: Peer,
}

impl Relay {
    pub(crate) fn service(self) -> Service {
        Service::new("relay").answer(RelayServiceServer::new(self))
    }
}

#[async_trait]
impl RelayService for Relay {
    async fn pass(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        let mut parrot = ParrotServiceClient::new(self.parrot.of(&request));
        Ok(Response::new(parrot.act(request.into_inner()).await?.into_inner()))
    }

    async fn pass_as_service(&self, request: Request<Errand>) -> Result<Response<Report>, Status> {
        let mut parrot = ParrotServiceClient::new(self.parrot.as_service(&request));
        Ok(Response::new(parrot.act_internal(request.into_inner()).await?.into_inner()))
    }
}
