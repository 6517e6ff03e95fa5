//! The contract answered.

use mesh::identity::Tokens;
use mesh::{Code, HasContext, Peer, Principal, Request, Response, Status, async_trait};
use store::{Store, Tx};
use tradewind::cart::v1::cart_service_server::CartService;
use tradewind::cart::v1::{
    AddLineRequest, Cart, CartLine, ClearCartRequest, GetCartRequest, ListLinesRequest,
    ListLinesResponse, MergeCartRequest, RemoveLineRequest, SetQuantityRequest,
};
use tradewind::catalog::v1::catalog_service_client::CatalogServiceClient;
use tradewind::catalog::v1::{BatchGetVariantsRequest, VariantOffer};

use crate::cart::{self, MOST_LINES, Wanted};
use crate::error::Error;
use crate::store::{self as sql, Customer};

/// Answers for carts.
pub(crate) struct Carts {
    pub(crate) store: Store,
    pub(crate) tokens: Tokens,
    pub(crate) catalog: Peer,
}

#[async_trait]
impl CartService for Carts {
    async fn get_cart(&self, request: Request<GetCartRequest>) -> Result<Response<Cart>, Status> {
        let customer = customer(&request)?;
        Ok(Response::new(self.priced(&request, &customer).await?))
    }

    async fn add_line(
        &self,
        request: Request<AddLineRequest>,
    ) -> Result<Response<CartLine>, Status> {
        let customer = customer(&request)?;
        // Asked before the transaction and judged in it: a repeat gets the first answer, whatever
        // the catalog says now.
        let offer = self.offer(&request, &request.get_ref().variant_id).await;

        let mut tx = self.store.begin(&request).await?;
        let wanted = Wanted::More(request.get_ref().quantity);
        let line = self.put(&mut tx, &customer, &offer?, wanted).await?;
        Ok(tx.answer(line).await?)
    }

    async fn set_quantity(
        &self,
        request: Request<SetQuantityRequest>,
    ) -> Result<Response<CartLine>, Status> {
        let customer = customer(&request)?;
        let SetQuantityRequest { variant_id, quantity } = request.get_ref();
        if *quantity == 0 {
            let mut tx = self.store.begin(&request).await?;
            let line = self.take_out(&mut tx, &customer, variant_id).await?;
            return Ok(tx.answer(line).await?);
        }
        let offer = self.offer(&request, variant_id).await;

        let mut tx = self.store.begin(&request).await?;
        let line = self.put(&mut tx, &customer, &offer?, Wanted::Exactly(*quantity)).await?;
        Ok(tx.answer(line).await?)
    }

    async fn remove_line(
        &self,
        request: Request<RemoveLineRequest>,
    ) -> Result<Response<()>, Status> {
        let customer = customer(&request)?;

        let mut tx = self.store.begin(&request).await?;
        self.take_out(&mut tx, &customer, &request.get_ref().variant_id).await?;
        Ok(tx.answer(()).await?)
    }

    async fn clear_cart(&self, request: Request<ClearCartRequest>) -> Result<Response<()>, Status> {
        let customer = customer(&request)?;

        let mut tx = self.store.begin(&request).await?;
        self.hold(&mut tx, &customer).await?;
        sql::clear(&mut tx, &customer.id).await.map_err(Error::from)?;
        Ok(tx.answer(()).await?)
    }

    async fn merge_cart(
        &self,
        request: Request<MergeCartRequest>,
    ) -> Result<Response<Cart>, Status> {
        let customer = customer(&request)?;
        let guest = self.guest(&request).await?;
        if guest != customer {
            let mut tx = self.store.begin(&request).await?;
            self.merge(&mut tx, &guest, &customer).await?;
            tx.commit().await?;
        }
        Ok(Response::new(self.priced(&request, &customer).await?))
    }

    async fn list_lines(
        &self,
        request: Request<ListLinesRequest>,
    ) -> Result<Response<ListLinesResponse>, Status> {
        let reader = self.store.read(&request);
        let lines = sql::lines(&reader, &request.get_ref().customer_id).await?;
        Ok(Response::new(ListLinesResponse { lines }))
    }
}

impl Carts {
    /// Puts a variant into a cart, so many as are wanted.
    async fn put(
        &self,
        tx: &mut Tx,
        customer: &Customer,
        offer: &VariantOffer,
        wanted: Wanted,
    ) -> Result<CartLine, Error> {
        let variant_id = offer.variant.as_ref().map_or("", |variant| variant.id.as_str());
        self.hold(tx, customer).await?;
        if let Some(line) = sql::line(tx, &customer.id, variant_id).await? {
            return Ok(tx.update(&cart::put(line, wanted, offer)?).await?);
        }
        let line = CartLine {
            customer_id: customer.id.clone(),
            variant_id: variant_id.to_owned(),
            ..CartLine::default()
        };
        let line = cart::put(line, wanted, offer)?;
        if sql::count(tx, &customer.id).await? >= MOST_LINES {
            return Err(Error::CartFull(MOST_LINES));
        }
        Ok(tx.insert(line).await?)
    }

    /// Takes a variant out of a cart; answers a line of none.
    async fn take_out(
        &self,
        tx: &mut Tx,
        customer: &Customer,
        variant_id: &str,
    ) -> Result<CartLine, Error> {
        self.hold(tx, customer).await?;
        if let Some(line) = sql::line(tx, &customer.id, variant_id).await? {
            tx.delete::<CartLine>(&line.id, "").await?;
            return Ok(CartLine { quantity: 0, ..line });
        }
        Ok(CartLine {
            customer_id: customer.id.clone(),
            variant_id: variant_id.to_owned(),
            ..CartLine::default()
        })
    }

    /// Moves what is in one cart into another.
    async fn merge(&self, tx: &mut Tx, from: &Customer, into: &Customer) -> Result<(), Error> {
        // Always in one order, or two merges could wait for each other.
        for customer in [from.min(into), from.max(into)] {
            self.hold(tx, customer).await?;
        }
        let etag = self.store.ids().next("etag");
        let now = self.store.clock().now_micros();
        sql::merge(tx, &from.id, &into.id, &etag, now).await?;
        if sql::count(tx, &into.id).await? > MOST_LINES {
            return Err(Error::CartFull(MOST_LINES));
        }
        Ok(())
    }

    async fn hold(&self, tx: &mut Tx, customer: &Customer) -> Result<(), Error> {
        Ok(sql::hold(tx, customer, self.store.clock().now_micros()).await?)
    }

    /// A cart with what it costs now.
    async fn priced(&self, from: &impl HasContext, customer: &Customer) -> Result<Cart, Status> {
        let lines = sql::lines(&self.store.read(from), &customer.id).await?;
        if lines.is_empty() {
            return Ok(Cart::default());
        }
        let ids = lines.iter().map(|line| line.variant_id.clone()).collect();
        let offers = self.offers(from, ids).await?;
        Ok(cart::priced(lines, &offers).map_err(Error::from)?)
    }

    /// A variant as it can be bought now.
    async fn offer(
        &self,
        from: &impl HasContext,
        variant_id: &str,
    ) -> Result<VariantOffer, Status> {
        let offers = self.offers(from, vec![variant_id.to_owned()]).await?;
        Ok(cart::sold(variant_id, offers)?)
    }

    async fn offers(
        &self,
        from: &impl HasContext,
        ids: Vec<String>,
    ) -> Result<Vec<VariantOffer>, Status> {
        let mut catalog = CatalogServiceClient::new(self.catalog.of(from));
        let answer = catalog.batch_get_variants(BatchGetVariantsRequest { ids }).await?;
        Ok(answer.into_inner().offers)
    }

    /// The guest whose token is in the message.
    async fn guest(&self, request: &Request<MergeCartRequest>) -> Result<Customer, Status> {
        let shown = self.tokens.check(&request.get_ref().guest_access_token).await;
        let guest = match shown.map_err(Status::from) {
            Ok(guest) => guest,
            // The caller is known; it is the message that is wrong.
            Err(status) if status.code() == Code::Unauthenticated => {
                return Err(Error::GuestToken(status.message().into()).into());
            }
            Err(status) => return Err(status),
        };
        let known = matches!(guest.principal(), Principal::Guest { .. })
            && guest.project() == request.context().caller.project();
        Ok(Customer::of(&guest).filter(|_| known).ok_or(Error::NotAGuest)?)
    }
}

fn customer(from: &impl HasContext) -> Result<Customer, Error> {
    Customer::of(&from.context().caller).ok_or(Error::NoCustomer)
}
