//! Customers and the merchant: each call with its key, repeated where nobody knows what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use harness::Harness;
use mesh::{Code, Context, IDEMPOTENCY_KEY, Outgoing, Request, Response, Status};
use prost::Message;
use tradewind::cart::v1::AddLineRequest;
use tradewind::cart::v1::cart_service_client::CartServiceClient;
use tradewind::money::v1::Money;
use tradewind::orders::v1::orders_service_client::OrdersServiceClient;
use tradewind::orders::v1::{
    Address, CancelOrderRequest, DeliverOrderRequest, LineRequest, Order, PayOrderRequest,
    PlaceOrderRequest, PlaceOrderResponse, RefundOrderRequest, ShipOrderRequest, Shipment,
};
use tradewind::payments::v1::CompleteSimulatedActionRequest;
use tradewind::payments::v1::payments_service_client::PaymentsServiceClient;

use crate::inputs::Act;

/// How often a call is made before its customer gives up for now.
const TRIES: usize = 3;

/// What came of an act, as far as whoever did it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Came {
    /// It was answered: the order that it is about, and the answer.
    Done { order_id: String, answer: Vec<u8> },
    /// It was refused.
    Refused(String),
    /// There was nothing to ask it for.
    NotAsked,
    /// Nobody knows.
    Unknown,
}

/// What everybody was told, over all deaths of the mesh.
#[derive(Debug)]
pub(crate) struct Customers {
    acts: Vec<Act>,
    variants: Vec<String>,
    came: Mutex<BTreeMap<usize, Came>>,
    /// Acts with a try that nobody answered: it may still arrive, whatever a later one is told.
    open: Mutex<BTreeSet<usize>>,
    /// Answers that are not those that were given before.
    otherwise: Mutex<Vec<String>>,
}

impl Customers {
    pub(crate) fn new(acts: Vec<Act>, variants: Vec<String>) -> Self {
        Self {
            acts,
            variants,
            came: Mutex::default(),
            open: Mutex::default(),
            otherwise: Mutex::default(),
        }
    }

    pub(crate) fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// What came of every act that was done, by its place.
    pub(crate) fn came(&self) -> BTreeMap<usize, Came> {
        locked(&self.came).clone()
    }

    /// What was answered otherwise than before, or than it must be.
    pub(crate) fn otherwise(&self) -> Vec<String> {
        locked(&self.otherwise).clone()
    }

    /// Does an act, again and again while nobody knows what came of it.
    pub(crate) async fn act(&self, harness: &Harness, at: usize) {
        for _ in 0..TRIES {
            if self.try_to(harness, at).await != Came::Unknown {
                return;
            }
        }
    }

    /// Asks for everything once more that was answered or refused under a key, or of which nobody knows what came.
    pub(crate) async fn ask_again(&self, harness: &Harness) {
        for at in 0..self.acts.len() {
            let repeats = matches!(self.acts[at], Act::Repeat { .. });
            if self.may_have_happened(at) && !repeats {
                self.act(harness, at).await;
            }
        }
    }

    fn may_have_happened(&self, at: usize) -> bool {
        match locked(&self.came).get(&at) {
            None | Some(Came::NotAsked) => false,
            // Without a key it is over, unless a try of it was on its way: that one is decided when it arrives.
            Some(Came::Refused(_)) => self.has_key(at) || locked(&self.open).contains(&at),
            Some(Came::Done { .. } | Came::Unknown) => true,
        }
    }

    async fn try_to(&self, harness: &Harness, at: usize) -> Came {
        let (at, act) = match &self.acts[at] {
            Act::Repeat { of } => (*of, &self.acts[*of]),
            act => (at, act),
        };
        let came = self.call(harness, at, act).await.map_or(Came::NotAsked, came);
        self.keep(at, &came);
        came
    }

    /// Keeps what came of an act, and notes where it is not what came before.
    fn keep(&self, at: usize, came: &Came) {
        if *came == Came::Unknown {
            locked(&self.open).insert(at);
        }
        let before = locked(&self.came).get(&at).cloned();
        match &before {
            Some(before @ (Came::Done { .. } | Came::Refused(_))) if self.has_key(at) => {
                self.compare(at, before, came);
            }
            Some(Came::Done { .. }) => {}
            _ => {
                locked(&self.came).insert(at, came.clone());
            }
        }
    }

    /// Notes an end that is not the one before; to hear nothing is none.
    fn compare(&self, at: usize, before: &Came, now: &Came) {
        if before != now && !matches!(now, Came::Unknown | Came::NotAsked) {
            let (act, before, now) = (&self.acts[at], shown(before), shown(now));
            locked(&self.otherwise).push(format!("{act:?} was answered {before}, and then {now}"));
        }
    }

    /// Whether an act's call has an idempotency key, so that a repeat ends as the first one.
    fn has_key(&self, at: usize) -> bool {
        matches!(self.acts[at], Act::Buy { .. } | Act::Pay { .. } | Act::Refund { .. })
    }

    /// The order that an act was about, with whoever placed it.
    fn order(&self, of: usize) -> Option<(u64, String)> {
        let Act::Buy { customer, .. } = &self.acts[of] else { return None };
        match locked(&self.came).get(&of)? {
            Came::Done { order_id, .. } => Some((*customer, order_id.clone())),
            Came::Refused(_) | Came::NotAsked | Came::Unknown => None,
        }
    }

    /// Makes an act's call; none where there is no order to make it for.
    async fn call(&self, harness: &Harness, at: usize, act: &Act) -> Option<Answer> {
        match act {
            Act::Buy { customer, lines, by_cart, method } => {
                let context = customer_of(harness, *customer);
                let lines = self.lines(lines);
                Some(buy(harness, &context, at, lines, *by_cart, method).await)
            }
            Act::Pay { of, method } => {
                let (customer, id) = self.order(*of)?;
                let request = PayOrderRequest { id, payment_method: (*method).into() };
                let mut orders = orders(harness, &customer_of(harness, customer));
                Some(order(orders.pay_order(keyed(at, request)).await))
            }
            Act::Agree { of, approve } => {
                let (customer, id) = self.order(*of)?;
                Some(agree(harness, &customer_of(harness, customer), id, *approve).await)
            }
            Act::Cancel { of, by_merchant } => {
                let (customer, id) = self.order(*of)?;
                let context = if *by_merchant {
                    harness.as_merchant()
                } else {
                    customer_of(harness, customer)
                };
                let request = CancelOrderRequest { id, reason: "it is not wanted".into() };
                Some(order(orders(harness, &context).cancel_order(request).await))
            }
            Act::Refund { of, minor } => {
                let (_, id) = self.order(*of)?;
                let amount = minor.map(|minor| Money::new(minor, "EUR"));
                let request = RefundOrderRequest { id, amount, reason: "it is late".into() };
                let mut orders = orders(harness, &harness.as_merchant());
                Some(order(orders.refund_order(keyed(at, request)).await))
            }
            Act::Ship { of } => {
                let (_, id) = self.order(*of)?;
                let shipment = Some(Shipment { carrier: "Post".into(), ..Shipment::default() });
                let request = ShipOrderRequest { id, shipment };
                Some(order(orders(harness, &harness.as_merchant()).ship_order(request).await))
            }
            Act::Deliver { of } => {
                let (_, id) = self.order(*of)?;
                let request = DeliverOrderRequest { id };
                Some(order(orders(harness, &harness.as_merchant()).deliver_order(request).await))
            }
            Act::Repeat { .. } => None,
        }
    }

    fn lines(&self, lines: &[(usize, i64)]) -> Vec<LineRequest> {
        let line = |(at, quantity): &(usize, i64)| {
            Some(LineRequest { variant_id: self.variants.get(*at)?.clone(), quantity: *quantity })
        };
        lines.iter().filter_map(line).collect()
    }
}

/// The order that a call was about, and the bytes of its answer.
type Answer = Result<(String, Vec<u8>), Status>;

async fn buy(
    harness: &Harness,
    context: &Context,
    at: usize,
    lines: Vec<LineRequest>,
    by_cart: bool,
    method: &str,
) -> Answer {
    let mut request = PlaceOrderRequest {
        lines: Vec::new(),
        email: format!("{}@example.com", context.caller.subject().unwrap_or("nobody")),
        shipping_address: Some(Address {
            recipient: "Ada".into(),
            lines: vec!["Quay 7".into()],
            city: "Hamburg".into(),
            country_code: "DE".into(),
            ..Address::default()
        }),
        payment_method: method.to_owned(),
    };
    if by_cart {
        let mut cart = CartServiceClient::new(harness.peer("cart").of(context));
        for (position, line) in lines.into_iter().enumerate() {
            let LineRequest { variant_id, quantity } = line;
            let mut line = Request::new(AddLineRequest { variant_id, quantity });
            put_key(&mut line, &format!("line-{at}-{position}"));
            cart.add_line(line).await?;
        }
    } else {
        request.lines = lines;
    }
    let answer = orders(harness, context).place_order(keyed(at, request)).await?.into_inner();
    let PlaceOrderResponse { order, .. } = &answer;
    let id = order.as_ref().map(|order| order.id.clone()).unwrap_or_default();
    Ok((id, answer.encode_to_vec()))
}

async fn agree(harness: &Harness, context: &Context, order_id: String, approve: bool) -> Answer {
    let read = tradewind::orders::v1::GetOrderRequest { id: order_id.clone() };
    let order = orders(harness, context).get_order(read).await?.into_inner();
    let id = order.payment.map(|payment| payment.intent_id).unwrap_or_default();
    let channel = harness.peer("payments").of(context);
    let request = CompleteSimulatedActionRequest { id, approve };
    let answer = PaymentsServiceClient::new(channel).complete_simulated_action(request).await?;
    Ok((order_id, answer.into_inner().encode_to_vec()))
}

fn order(answer: Result<Response<Order>, Status>) -> Answer {
    let order = answer?.into_inner();
    Ok((order.id.clone(), order.encode_to_vec()))
}

fn came(answer: Answer) -> Came {
    match answer {
        Ok((order_id, answer)) => Came::Done { order_id, answer },
        Err(status) => match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::ResourceExhausted => Came::Unknown,
            code => Came::Refused(format!("{code:?}: {}", status.message())),
        },
    }
}

fn shown(came: &Came) -> String {
    match came {
        Came::Done { order_id, answer } => format!("with {order_id} in {} bytes", answer.len()),
        Came::Refused(why) => format!("by {why}"),
        Came::NotAsked => "by nobody, for it was not asked".into(),
        Came::Unknown => "by nobody".into(),
    }
}

fn customer_of(harness: &Harness, customer: u64) -> Context {
    match customer {
        0 => harness.as_customer("usr_ada"),
        other => harness.as_guest(&format!("gst_{other}")),
    }
}

fn orders(harness: &Harness, context: &Context) -> OrdersServiceClient<Outgoing> {
    OrdersServiceClient::new(harness.peer("orders").of(context))
}

fn keyed<M>(at: usize, message: M) -> Request<M> {
    let mut request = Request::new(message);
    put_key(&mut request, &format!("act-{at}"));
    request
}

fn put_key<M>(request: &mut Request<M>, key: &str) {
    if let Ok(key) = key.parse() {
        request.metadata_mut().insert(IDEMPOTENCY_KEY, key);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
