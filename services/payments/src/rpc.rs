//! `PaymentsService`, answered.

use mesh::{Caller, Context, Faults, HasContext, Request, Response, Status, async_trait};
use store::Store;
use tradewind::payments::v1::payments_service_server::PaymentsService;
use tradewind::payments::v1::{
    AuditPaymentsRequest, AuditPaymentsResponse, AuditProvidersRequest, AuditProvidersResponse,
    CancelPaymentRequest, CompleteSimulatedActionRequest, GetPaymentRequest, ListAttemptsRequest,
    ListAttemptsResponse, PayRequest, PaymentIntent, Refund, RefundPaymentRequest,
};

use crate::error::Error;
use crate::ledger::Ledger;
use crate::provider::Providers;
use crate::{NAME, audit, store as sql};

/// Answers for payments; its processes are in modules of their own.
#[derive(Clone)]
pub(crate) struct Payments {
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    pub(crate) providers: Providers,
    pub(crate) faults: Faults,
}

#[async_trait]
impl PaymentsService for Payments {
    async fn pay(&self, request: Request<PayRequest>) -> Result<Response<PaymentIntent>, Status> {
        let context = on_behalf(request.context(), &request.get_ref().customer_id);
        Ok(Response::new(self.pay(&context, request.get_ref()).await?))
    }

    async fn cancel_payment(
        &self,
        request: Request<CancelPaymentRequest>,
    ) -> Result<Response<PaymentIntent>, Status> {
        let context = request.context().as_service(NAME);
        Ok(Response::new(self.cancel(&context, &request.get_ref().order_id).await?))
    }

    async fn refund_payment(
        &self,
        request: Request<RefundPaymentRequest>,
    ) -> Result<Response<Refund>, Status> {
        let context = request.context().as_service(NAME);
        Ok(Response::new(self.refund(&context, request.get_ref()).await?))
    }

    async fn get_payment(
        &self,
        request: Request<GetPaymentRequest>,
    ) -> Result<Response<PaymentIntent>, Status> {
        let reader = self.store.read(&request);
        Ok(Response::new(reader.get(&request.get_ref().id).await?))
    }

    async fn list_attempts(
        &self,
        request: Request<ListAttemptsRequest>,
    ) -> Result<Response<ListAttemptsResponse>, Status> {
        let reader = self.store.read(&request);
        let intent: PaymentIntent = reader.get(&request.get_ref().id).await?;
        let attempts = sql::attempts(&reader, &intent.id).await.map_err(Error::from)?;
        Ok(Response::new(ListAttemptsResponse { attempts }))
    }

    async fn audit_payments(
        &self,
        request: Request<AuditPaymentsRequest>,
    ) -> Result<Response<AuditPaymentsResponse>, Status> {
        let reader = self.store.read(&request);
        let page = audit::payments(&reader, request.get_ref()).await.map_err(Error::from)?;
        Ok(Response::new(page))
    }

    async fn audit_providers(
        &self,
        request: Request<AuditProvidersRequest>,
    ) -> Result<Response<AuditProvidersResponse>, Status> {
        let page = Payments::audit_providers(self, request.context(), request.get_ref()).await?;
        Ok(Response::new(page))
    }

    async fn complete_simulated_action(
        &self,
        request: Request<CompleteSimulatedActionRequest>,
    ) -> Result<Response<PaymentIntent>, Status> {
        let reader = self.store.read(&request);
        let intent: PaymentIntent = reader.get(&request.get_ref().id).await?;
        let context = on_behalf(request.context(), &intent.customer_id);
        let approve = request.get_ref().approve;
        Ok(Response::new(self.complete_action(&context, intent, approve).await?))
    }
}

/// The same work as this service, for the customer whose payment it is.
fn on_behalf(context: &Context, customer_id: &str) -> Context {
    let mut context = context.as_service(NAME);
    context.caller = Caller::service(NAME, context.caller.project(), Some(customer_id.into()));
    context
}
