//! `OrdersService`, answered.

use mesh::{Context, HasContext, Principal, Request, Response, Status, async_trait};
use store::List;
use tradewind::orders::v1::order::State;
use tradewind::orders::v1::orders_service_server::OrdersService;
use tradewind::orders::v1::{
    AuditOrdersRequest, AuditOrdersResponse, CancelOrderRequest, DeliverOrderRequest,
    GetGuestOrderRequest, GetOrderRequest, ListOrderHistoryRequest, ListOrderHistoryResponse,
    ListOrdersRequest, ListOrdersResponse, Order, OrderDelivered, OrderShipped, PayOrderRequest,
    PlaceOrderRequest, PlaceOrderResponse, Quote, QuoteOrderRequest, RefundOrderRequest,
    ShipOrderRequest,
};

use crate::cancelling::{self, Cancelling};
use crate::checkout::{self, Checkout};
use crate::error::Error;
use crate::orders::Orders;
use crate::refunding::{self, Refunding};
use crate::{NAME, audit, gather, guest, order, store as sql};

/// Answers for orders.
pub(crate) struct Rpc {
    pub(crate) orders: Orders,
}

#[async_trait]
impl OrdersService for Rpc {
    async fn place_order(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        let Orders { store, .. } = &self.orders;
        // A repeat leaves here, before a cart that its first call has emptied is read.
        store.refuse_repeat(&request).await?;
        let context = request.context();
        let asked = request.get_ref().clone();
        let (quote, project) = gather::quote(&self.orders, context, asked.lines).await?;
        let email = gather::email(&self.orders, context, asked.email).await?;
        let guest_token = match context.caller.principal() {
            Principal::Guest { .. } => guest::new_token(),
            Principal::Nobody | Principal::User { .. } | Principal::Service { .. } => String::new(),
        };

        let mut tx = store.begin(&request).await?;
        let (id, now) = (store.ids().next("ord"), store.clock().now_micros());
        let mut order = order::new(id, gather::customer(&request), quote, &project, now);
        order.email = email;
        order.shipping_address = asked.shipping_address;
        let order = tx.insert(order).await?;
        sql::note(&self.orders.store, &mut tx, &order, "placed").await?;
        sql::keep_secret(&mut tx, &order.id, guest::hash(&guest_token)).await?;
        let task = Checkout {
            order_id: order.id.clone(),
            attempt: 1,
            payment_method: asked.payment_method,
            guest_token: guest_token.clone(),
        };
        tx.open_key(&checkout::key(&task)).await?;
        let claim = tx.start_claimed(task.clone())?;
        tx.commit().await?;

        let context = context.as_service(NAME);
        let order = checkout::resume(&self.orders, &context, task, claim, order).await?;
        Ok(Response::new(PlaceOrderResponse { order: Some(order), guest_token }))
    }

    async fn pay_order(
        &self,
        request: Request<PayOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let mut tx = self.orders.store.begin(&request).await?;
        let asked = request.get_ref();
        let order: Order = tx.get(&asked.id).await?;
        refuse_onlooker(request.context(), &order)?;
        let order = tx.update(&order::paying(order)?).await?;
        let task = Checkout {
            order_id: order.id.clone(),
            attempt: sql::next_attempt(&mut tx, &order.id).await?,
            payment_method: asked.payment_method.clone(),
            guest_token: String::new(),
        };
        tx.open_key(&checkout::key(&task)).await?;
        let claim = tx.start_claimed(task.clone())?;
        tx.commit().await?;

        let context = request.context().as_service(NAME);
        let order = checkout::resume(&self.orders, &context, task, claim, order).await?;
        Ok(Response::new(order))
    }

    async fn quote_order(
        &self,
        request: Request<QuoteOrderRequest>,
    ) -> Result<Response<Quote>, Status> {
        let lines = request.get_ref().lines.clone();
        let (quote, _) = gather::quote(&self.orders, request.context(), lines).await?;
        Ok(Response::new(quote))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let order = self.orders.store.read(&request).get(&request.get_ref().id).await?;
        Ok(Response::new(order))
    }

    async fn get_guest_order(
        &self,
        request: Request<GetGuestOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let asked = request.get_ref();
        // Nobody owns no order: the service looks, and shows it to who knows its token.
        let reader = self.orders.store.read(&request.context().as_service(NAME));
        let kept = sql::secret(&reader, &asked.id).await?;
        if !guest::matches(&asked.guest_token, &kept) {
            return Err(Error::NotFound(asked.id.clone()).into());
        }
        Ok(Response::new(reader.get(&asked.id).await?))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let reader = self.orders.store.read(&request);
        let asked = request.into_inner();
        let newest_first = || "create_time desc".to_owned();
        let page = reader
            .list(&List {
                page_size: asked.page_size,
                page_token: asked.page_token,
                filter: asked.filter,
                order_by: Some(asked.order_by)
                    .filter(|by| !by.is_empty())
                    .unwrap_or_else(newest_first),
            })
            .await?;
        Ok(Response::new(ListOrdersResponse {
            orders: page.items,
            next_page_token: page.next_page_token,
        }))
    }

    async fn list_order_history(
        &self,
        request: Request<ListOrderHistoryRequest>,
    ) -> Result<Response<ListOrderHistoryResponse>, Status> {
        let reader = self.orders.store.read(&request);
        // Whoever may read the order may read its history.
        let order: Order = reader.get(&request.get_ref().id).await?;
        let events = sql::history(&reader, &order.id).await?;
        Ok(Response::new(ListOrderHistoryResponse { events }))
    }

    async fn audit_orders(
        &self,
        request: Request<AuditOrdersRequest>,
    ) -> Result<Response<AuditOrdersResponse>, Status> {
        let reader = self.orders.store.read(&request);
        Ok(Response::new(audit::page(&reader, request.get_ref()).await?))
    }

    async fn ship_order(
        &self,
        request: Request<ShipOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let mut tx = self.orders.store.begin(&request).await?;
        let asked = request.into_inner();
        let was: Order = tx.get(&asked.id).await?;
        let order = order::shipped(
            was.clone(),
            asked.shipment.unwrap_or_default(),
            self.orders.store.clock().now_micros(),
        )?;
        if order == was {
            return Ok(tx.answer(was).await?);
        }
        let order = tx.update(&order).await?;
        sql::note(&self.orders.store, &mut tx, &order, "sent").await?;
        tx.emit(&order.id, OrderShipped { order: Some(order.clone()) });
        Ok(tx.answer(order).await?)
    }

    async fn deliver_order(
        &self,
        request: Request<DeliverOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let mut tx = self.orders.store.begin(&request).await?;
        let was: Order = tx.get(&request.into_inner().id).await?;
        let order = order::delivered(was.clone(), self.orders.store.clock().now_micros())?;
        if order == was {
            return Ok(tx.answer(was).await?);
        }
        let order = tx.update(&order).await?;
        sql::note(&self.orders.store, &mut tx, &order, "arrived").await?;
        tx.emit(&order.id, OrderDelivered { order: Some(order.clone()) });
        Ok(tx.answer(order).await?)
    }

    async fn cancel_order(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let mut tx = self.orders.store.begin(&request).await?;
        let asked = request.get_ref();
        let order: Order = tx.get(&asked.id).await?;
        refuse_onlooker(request.context(), &order)?;
        if matches!(order.state(), State::Cancelling | State::Cancelled) {
            return Ok(tx.answer(order).await?);
        }
        if sql::refund_runs(&mut tx, &order.id).await? {
            return Err(Error::Busy(order.id).into());
        }
        let order = tx.update(&order::cancelling(order, &asked.reason)?).await?;
        sql::note(&self.orders.store, &mut tx, &order, &asked.reason).await?;
        let task = Cancelling { order_id: order.id };
        let claim = tx.start_claimed(task.clone())?;
        tx.commit().await?;

        let context = request.context().as_service(NAME);
        Ok(Response::new(cancelling::drive(&self.orders, &context, task, claim).await?))
    }

    async fn refund_order(
        &self,
        request: Request<RefundOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let mut tx = self.orders.store.begin(&request).await?;
        let asked = request.get_ref();
        let order: Order = tx.get(&asked.id).await?;
        let amount = match &asked.amount {
            Some(amount) => amount.clone(),
            None => order::refundable(&order)?,
        };
        let order = tx.update(&order::refunding(order, &amount)?).await?;
        let refund_id = self.orders.store.ids().next("ref");
        sql::keep_refund(&mut tx, &refund_id, &order.id, amount.minor, &asked.reason).await?;
        tx.open_key(&refund_id).await?;
        let task = Refunding {
            refund_id,
            order_id: order.id,
            amount_minor: amount.minor,
            currency: amount.currency_code,
            reason: asked.reason.clone(),
        };
        let claim = tx.start_claimed(task.clone())?;
        tx.commit().await?;

        let context = request.context().as_service(NAME);
        Ok(Response::new(refunding::drive(&self.orders, &context, task, claim).await?))
    }
}

/// Refuses who may see an order that is another's, and no more than see it.
fn refuse_onlooker(context: &Context, order: &Order) -> Result<(), Error> {
    let caller = &context.caller;
    if caller.subject() == Some(order.customer_id.as_str()) || caller.may("orders.manage") {
        return Ok(());
    }
    Err(Error::AnotherCustomers(order.id.clone()))
}
