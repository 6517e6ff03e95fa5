//! `StockService`, answered.

use mesh::clock::micros;
use mesh::{Request, Response, Status, async_trait};
use store::{Store, Tx};
use tradewind::catalog::v1::reservation::State;
use tradewind::catalog::v1::stock_movement::Kind;
use tradewind::catalog::v1::stock_service_server::StockService;
use tradewind::catalog::v1::{
    AuditReservationsRequest, AuditReservationsResponse, CommitReservationRequest, GetStockRequest,
    ListStockMovementsRequest, ListStockMovementsResponse, ReleaseReservationRequest, Reservation,
    ReserveRequest, ReservedLine, SetStockRequest, StockLevel, VerifyStockRequest,
    VerifyStockResponse,
};

use crate::error::Error;
use crate::expire::Expire;
use crate::stock::{self, Recount};
use crate::store::stock::{self as sql, Moved, Step};
use crate::store::{audit, changes};

/// How many movements a page has when nothing is said.
const USUAL_PAGE: u32 = 50;
/// How many wrong variants are named.
const MOST_WRONG: u32 = 100;

/// Answers for stock.
pub(crate) struct Stock {
    pub(crate) store: Store,
}

#[async_trait]
impl StockService for Stock {
    async fn get_stock(
        &self,
        request: Request<GetStockRequest>,
    ) -> Result<Response<StockLevel>, Status> {
        let id = &request.get_ref().variant_id;
        let level = self.store.read(&request).find::<StockLevel>(id).await?;
        Ok(Response::new(level.ok_or_else(|| Error::NotCounted(id.clone()))?))
    }

    async fn set_stock(
        &self,
        request: Request<SetStockRequest>,
    ) -> Result<Response<StockLevel>, Status> {
        let mut tx = self.store.begin(&request).await?;
        let SetStockRequest { variant_id, on_hand } = request.into_inner();
        if sql::hold_variants(&mut tx, &[&variant_id]).await?.is_empty() {
            return Err(Error::VariantNotFound(variant_id).into());
        }

        let level = tx.find::<StockLevel>(&variant_id).await?;
        let Some(recount) = Recount::of(&variant_id, level.clone(), on_hand)? else {
            return Ok(tx.answer(level.unwrap_or_default()).await?);
        };
        sql::recount(&mut tx, &self.store, &[&recount]).await?;
        if recount.turns() {
            changes::note(&mut tx, &[], &[&variant_id]).await?;
        }
        let level = tx.get::<StockLevel>(&variant_id).await?;
        Ok(tx.answer(level).await?)
    }

    async fn list_stock_movements(
        &self,
        request: Request<ListStockMovementsRequest>,
    ) -> Result<Response<ListStockMovementsResponse>, Status> {
        let ListStockMovementsRequest { page_size, page_token, variant_id } = request.get_ref();
        let size = match u32::try_from(*page_size) {
            Ok(0) | Err(_) => USUAL_PAGE,
            Ok(size) => size,
        };
        let before = match page_token.as_str() {
            "" => i64::MAX,
            token => token.parse().map_err(|_| Error::InvalidPageToken)?,
        };

        let reader = self.store.read(&request);
        let mut found = sql::movements(&reader, variant_id, before, size + 1).await?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let last = found.last().filter(|_| more);
        Ok(Response::new(ListStockMovementsResponse {
            next_page_token: last.map(|(position, _)| position.to_string()).unwrap_or_default(),
            movements: found.into_iter().map(|(_, movement)| movement).collect(),
        }))
    }

    async fn verify_stock(
        &self,
        request: Request<VerifyStockRequest>,
    ) -> Result<Response<VerifyStockResponse>, Status> {
        let reader = self.store.read(&request);
        let counted = sql::counted(&reader).await?;
        let wrong = sql::wrong(&reader, MOST_WRONG).await?;
        let wrong_variant_ids = wrong.iter().map(|level| level.variant_id.clone()).collect();
        Ok(Response::new(VerifyStockResponse { counted, wrong_variant_ids, wrong }))
    }

    async fn audit_reservations(
        &self,
        request: Request<AuditReservationsRequest>,
    ) -> Result<Response<AuditReservationsResponse>, Status> {
        let reader = self.store.read(&request);
        Ok(Response::new(audit::page(&reader, request.get_ref()).await?))
    }

    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let lines = stock::lines(&request.get_ref().lines)?;
        match self.reserve_anew(&request, &lines).await {
            Err(Error::Store(store::Error::AlreadyExists { .. })) => {
                let id = &request.get_ref().order_id;
                let held: Reservation = self.store.read(&request).get(id).await?;
                // What was given back stays so, even before it was held.
                if held.state() != State::Released && held.lines != lines {
                    return Err(Error::ReservationExists(held.id).into());
                }
                Ok(Response::new(held))
            }
            answer => Ok(answer?),
        }
    }

    async fn commit_reservation(
        &self,
        request: Request<CommitReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        let tx = self.store.begin(&request).await?;
        self.take(tx, &request.get_ref().order_id, Step::Commit).await
    }

    async fn release_reservation(
        &self,
        request: Request<ReleaseReservationRequest>,
    ) -> Result<Response<Reservation>, Status> {
        match self.release(&request).await {
            // It was held, or given back, just now.
            Err(Error::Store(store::Error::AlreadyExists { .. })) => {
                Ok(self.release(&request).await?)
            }
            answer => Ok(answer?),
        }
    }
}

impl Stock {
    /// Holds every line, or none. The reservation's own key refuses a repeat, which costs nothing when
    /// there is none.
    async fn reserve_anew(
        &self,
        request: &Request<ReserveRequest>,
        lines: &[ReservedLine],
    ) -> Result<Response<Reservation>, Error> {
        let mut tx = self.store.begin(request).await?;
        let ReserveRequest { order_id, expire_time, .. } = request.get_ref();
        let mut reservation = Reservation {
            id: order_id.clone(),
            lines: lines.to_vec(),
            expire_time: *expire_time,
            ..Reservation::default()
        };
        reservation.set_state(State::Held);
        let reservation = tx.insert(reservation).await?;

        let held = sql::hold(&mut tx, &self.store, lines).await?;
        if held.len() < lines.len() {
            refuse_rest(&mut tx, lines, &held).await?;
        }
        let movements = stock::movements(Kind::Reserved, order_id, lines, &held);
        sql::record(&mut tx, &self.store, &movements).await?;
        let expire = Expire { order_id: order_id.clone() };
        tx.start_at(expire, expire_time.as_ref().map_or(i64::MAX, micros))?;
        let sold_out = held.iter().filter(|(_, available)| **available == 0);
        let sold_out: Vec<_> = sold_out.map(|(variant_id, _)| variant_id.as_str()).collect();
        changes::note(&mut tx, &[], &sold_out).await?;
        Ok(tx.answer(reservation).await?)
    }

    /// Gives back what an order holds. Of one that holds nothing that is noted too: a call to hold something for it
    /// may still be on its way, and must find that it comes too late.
    async fn release(
        &self,
        request: &Request<ReleaseReservationRequest>,
    ) -> Result<Response<Reservation>, Error> {
        let mut tx = self.store.begin(request).await?;
        let order_id = &request.get_ref().order_id;
        let held = match tx.get(order_id).await {
            Err(store::Error::NotFound { .. }) => {
                let mut nothing = Reservation { id: order_id.clone(), ..Reservation::default() };
                nothing.set_state(State::Released);
                tx.insert(nothing).await?
            }
            held => held?,
        };
        let reservation = step(&mut tx, &self.store, held, Step::Release).await?;
        Ok(tx.answer(reservation).await?)
    }

    async fn take(
        &self,
        mut tx: Tx,
        order_id: &str,
        taken: Step,
    ) -> Result<Response<Reservation>, Status> {
        let held: Reservation = tx.get(order_id).await?;
        let reservation = step(&mut tx, &self.store, held, taken).await?;
        Ok(tx.answer(reservation).await?)
    }
}

/// Refuses unless what could not be held is not counted.
async fn refuse_rest(tx: &mut Tx, lines: &[ReservedLine], held: &Moved) -> Result<(), Error> {
    let rest = lines.iter().filter(|line| !held.contains_key(&line.variant_id));
    let rest: Vec<_> = rest.collect();
    let ids: Vec<_> = rest.iter().map(|line| line.variant_id.as_str()).collect();
    let shelves = sql::shelves(tx, &ids).await?;
    stock::refuse(&rest, |id| shelves.get(id).copied())
}

/// Takes a step with what an order holds; answers the reservation after it.
pub(crate) async fn step(
    tx: &mut Tx,
    store: &Store,
    held: Reservation,
    taken: Step,
) -> Result<Reservation, Error> {
    let Some((next, taken)) = stock::stepped(held.clone(), taken)? else { return Ok(held) };
    let moved = sql::step(tx, store, taken, &held.id, held.lines.len()).await?;
    let movements = stock::movements(taken.into(), &held.id, &held.lines, &moved);
    sql::record(tx, store, &movements).await?;
    let next = tx.update(&next).await?;

    let for_sale_again = |line: &&ReservedLine| moved.get(&line.variant_id) == Some(&line.quantity);
    let turned: Vec<_> = match taken {
        Step::Release | Step::Return => held.lines.iter().filter(for_sale_again).collect(),
        Step::Commit => Vec::new(),
    };
    let turned: Vec<_> = turned.iter().map(|line| line.variant_id.as_str()).collect();
    changes::note(tx, &[], &turned).await?;
    Ok(next)
}
