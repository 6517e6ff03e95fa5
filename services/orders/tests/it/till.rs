//! Payments in memory: intents, attempts by their number, refunds by their id, and the simulator's tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use mesh::{Code, Request, Response, Status, async_trait};
use store::Store;
use tradewind::payments::v1::payment_intent::State;
use tradewind::payments::v1::payments_service_server::PaymentsService;
use tradewind::payments::v1::{
    self as payments, PayRequest, PaymentIntent, Refund, RefundPaymentRequest, refund,
};

use crate::breaks::{Breaks, not_here, refuse};

/// Payments in memory. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Till {
    pub(crate) breaks: Breaks,
    /// The store of orders, whose commits are counted.
    pub(crate) orders: Arc<OnceLock<Store>>,
    drawer: Arc<Mutex<Drawer>>,
}

#[derive(Default)]
struct Drawer {
    intents: BTreeMap<String, Kept>,
    refunds: BTreeMap<String, Refund>,
    /// What becomes of the next refunds; `Unspecified` is success.
    refunds_end_as: refund::State,
    /// Why nothing can be said at the moment.
    undecided: Option<(Code, &'static str)>,
    commits_at_pay: u64,
}

#[derive(Default)]
struct Kept {
    intent: PaymentIntent,
    tried: BTreeSet<i32>,
    /// How often the amount was taken.
    taken: usize,
}

impl Till {
    /// How often money was taken for an order; more than once is never right.
    pub(crate) fn taken(&self, order_id: &str) -> usize {
        self.drawer.lock().unwrap().intents.get(order_id).map_or(0, |kept| kept.taken)
    }

    /// How many orders somebody tried to pay.
    pub(crate) fn intents(&self) -> usize {
        self.drawer.lock().unwrap().intents.len()
    }

    /// The intent of an order, as it stands.
    pub(crate) fn intent(&self, order_id: &str) -> PaymentIntent {
        self.drawer.lock().unwrap().intents[order_id].intent.clone()
    }

    /// What was taken for an order and not given back.
    pub(crate) fn kept(&self, order_id: &str) -> i64 {
        let intent = self.intent(order_id);
        intent.captured_minor - intent.refunded_minor
    }

    /// How many refunds were asked for.
    pub(crate) fn refunds(&self) -> usize {
        self.drawer.lock().unwrap().refunds.len()
    }

    /// The commits of orders when the last payment was asked for.
    pub(crate) fn commits_at_pay(&self) -> u64 {
        self.drawer.lock().unwrap().commits_at_pay
    }

    /// Decides what becomes of refunds from now on, pending ones included.
    pub(crate) fn end_refunds_as(&self, state: refund::State) {
        self.drawer.lock().unwrap().refunds_end_as = state;
    }

    /// Says from now on that nobody knows yet what comes of payments, or speaks again.
    pub(crate) fn say_undecided(&self, why: Option<(Code, &'static str)>) {
        self.drawer.lock().unwrap().undecided = why;
    }

    /// Says what came of an attempt that was open.
    pub(crate) fn resolve(&self, order_id: &str, paid: bool) -> PaymentIntent {
        let mut drawer = self.drawer.lock().unwrap();
        let kept = drawer.intents.get_mut(order_id).unwrap();
        kept.answered(if paid { "sim_ok" } else { "sim_declined" });
        kept.intent.clone()
    }
}

impl Kept {
    fn answered(&mut self, payment_method: &str) {
        let intent = &mut self.intent;
        intent.decline_code.clear();
        intent.action_url.clear();
        match payment_method {
            "sim_ok" => {
                intent.set_state(State::Succeeded);
                intent.captured_minor = intent.amount.as_ref().unwrap().minor;
                self.taken += 1;
            }
            "sim_requires_action" => {
                intent.set_state(State::RequiresAction);
                intent.action_url = "https://bank.example/3ds".into();
            }
            "sim_unknown" => intent.set_state(State::Processing),
            refused => {
                intent.set_state(State::RequiresPaymentMethod);
                intent.decline_code = refused.trim_start_matches("sim_").into();
            }
        }
    }
}

impl Drawer {
    fn pay(&mut self, asked: &PayRequest) -> Result<PaymentIntent, Status> {
        if !asked.payment_method.starts_with("sim_") {
            return Err(refuse(Code::FailedPrecondition, "NO_PROVIDER", "nobody takes this"));
        }
        let kept = self.intents.entry(asked.order_id.clone()).or_insert_with(|| Kept {
            intent: PaymentIntent {
                id: format!("pay_{}", asked.order_id),
                order_id: asked.order_id.clone(),
                customer_id: asked.customer_id.clone(),
                amount: asked.amount.clone(),
                state: State::RequiresPaymentMethod.into(),
                ..PaymentIntent::default()
            },
            ..Kept::default()
        });
        let known = kept.tried.contains(&asked.attempt);
        if let (true, Some((code, reason))) = (known, self.undecided) {
            return Err(refuse(code, reason, "nobody knows yet"));
        }
        if known {
            return Ok(kept.intent.clone());
        }
        if kept.intent.amount != asked.amount || kept.intent.customer_id != asked.customer_id {
            return Err(refuse(Code::InvalidArgument, "PAYMENT_DIFFERS", "not as before"));
        }
        if kept.intent.state() == State::Succeeded {
            return Ok(kept.intent.clone());
        }
        if kept.intent.state() != State::RequiresPaymentMethod {
            return Err(refuse(Code::Aborted, "PAYMENT_UNRESOLVED", "one is open"));
        }
        kept.tried.insert(asked.attempt);
        kept.intent.attempts = asked.attempt;
        if let Some((code, reason)) = self.undecided {
            kept.answered("sim_unknown");
            return Err(refuse(code, reason, "nobody knows yet"));
        }
        kept.answered(&asked.payment_method);
        Ok(kept.intent.clone())
    }

    fn cancel(&mut self, order_id: &str) -> Result<PaymentIntent, Status> {
        let Some(kept) = self.intents.get_mut(order_id) else {
            let state = State::Canceled.into();
            return Ok(PaymentIntent { order_id: order_id.into(), state, ..Default::default() });
        };
        if let Some((code, reason)) = self.undecided {
            return Err(refuse(code, reason, "nobody knows yet"));
        }
        match kept.intent.state() {
            State::Succeeded => kept.intent.refunded_minor = kept.intent.captured_minor,
            State::Processing => {
                return Err(refuse(Code::Aborted, "PAYMENT_UNRESOLVED", "one is open"));
            }
            _ => kept.intent.set_state(State::Canceled),
        }
        Ok(kept.intent.clone())
    }

    fn refund(&mut self, asked: RefundPaymentRequest) -> Result<Refund, Status> {
        let RefundPaymentRequest { refund_id: id, order_id, amount, reason } = asked;
        let open = |known: &&Refund| known.state() != refund::State::Pending;
        if let Some(known) = self.refunds.get(&id).filter(open) {
            return Ok(known.clone());
        }
        let minor = amount.as_ref().unwrap().minor;
        let intent = &mut self.intents.get_mut(&order_id).unwrap().intent;
        let state = match self.refunds_end_as {
            refund::State::Unspecified | refund::State::Succeeded => refund::State::Succeeded,
            other => other,
        };
        if state == refund::State::Succeeded {
            if intent.captured_minor - intent.refunded_minor < minor {
                let reason = "REFUND_EXCEEDS_CAPTURED";
                return Err(refuse(Code::FailedPrecondition, reason, "more than is left"));
            }
            intent.refunded_minor += minor;
        }
        let intent_id = intent.id.clone();
        let state = state.into();
        let refund = Refund { id, intent_id, amount, reason, state, ..Refund::default() };
        self.refunds.insert(refund.id.clone(), refund.clone());
        Ok(refund)
    }
}

#[async_trait]
impl PaymentsService for Till {
    async fn pay(&self, request: Request<PayRequest>) -> Result<Response<PaymentIntent>, Status> {
        self.breaks.answer("Pay", || {
            let mut drawer = self.drawer.lock().unwrap();
            drawer.commits_at_pay = self.orders.get().map_or(0, Store::commits);
            drawer.pay(request.get_ref())
        })
    }

    async fn cancel_payment(
        &self,
        request: Request<payments::CancelPaymentRequest>,
    ) -> Result<Response<PaymentIntent>, Status> {
        let effect = || self.drawer.lock().unwrap().cancel(&request.get_ref().order_id);
        self.breaks.answer("CancelPayment", effect)
    }

    async fn refund_payment(
        &self,
        request: Request<RefundPaymentRequest>,
    ) -> Result<Response<Refund>, Status> {
        let effect = || self.drawer.lock().unwrap().refund(request.into_inner());
        self.breaks.answer("RefundPayment", effect)
    }

    async fn get_payment(
        &self,
        request: Request<payments::GetPaymentRequest>,
    ) -> Result<Response<PaymentIntent>, Status> {
        let drawer = self.drawer.lock().unwrap();
        let mut intents = drawer.intents.values().map(|kept| &kept.intent);
        let found = intents.find(|intent| intent.id == request.get_ref().id).cloned();
        let missing = || refuse(Code::NotFound, "PAYMENT_NOT_FOUND", "there is none");
        self.breaks.answer("GetPayment", || found.ok_or_else(missing))
    }

    async fn list_attempts(
        &self,
        _: Request<payments::ListAttemptsRequest>,
    ) -> Result<Response<payments::ListAttemptsResponse>, Status> {
        not_here()
    }

    async fn audit_payments(
        &self,
        _: Request<payments::AuditPaymentsRequest>,
    ) -> Result<Response<payments::AuditPaymentsResponse>, Status> {
        not_here()
    }

    async fn audit_providers(
        &self,
        _: Request<payments::AuditProvidersRequest>,
    ) -> Result<Response<payments::AuditProvidersResponse>, Status> {
        not_here()
    }

    async fn complete_simulated_action(
        &self,
        _: Request<payments::CompleteSimulatedActionRequest>,
    ) -> Result<Response<PaymentIntent>, Status> {
        not_here()
    }
}
