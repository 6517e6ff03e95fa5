//! Giving back by itself what an order holds too long.

use serde::{Deserialize, Serialize};

use mesh::{Context, Status};
use store::{Claim, Store, Task};
use tradewind::catalog::v1::Reservation;
use tradewind::catalog::v1::reservation::State;

use crate::error::Error;
use crate::rpc::stock::step;
use crate::store::stock::Step;

/// Ends the reservation of an order when its time has come.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Expire {
    pub(crate) order_id: String,
}

impl Task for Expire {
    const KIND: &'static str = "expire_reservation";
}

/// Gives back what the order still holds.
pub(crate) async fn expire(
    store: Store,
    context: Context,
    task: Expire,
    claim: Claim,
) -> Result<(), Status> {
    let mut tx = store.begin_for(&context).await?;
    let reservation = tx.find::<Reservation>(&task.order_id).await?;
    if let Some(held) = reservation.filter(|reservation| reservation.state() == State::Held) {
        step(&mut tx, &store, held, Step::Release).await?;
    }
    tx.finish(&claim).await.map_err(Error::from)?;
    Ok(tx.commit().await?)
}
