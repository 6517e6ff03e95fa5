//! What each order holds of the stock, and what was moved for it.

use std::collections::BTreeMap;

use store::{Error, Reader};
use tradewind::catalog::v1::{
    AuditReservationsRequest, AuditReservationsResponse, AuditedReservation,
    AuditedReservationLine, Reservation,
};

/// The size of a page when nothing is said.
const PAGE: u32 = 500;

/// The orders that hold stock, or moved some, after those of the page before.
pub(crate) async fn page(
    reader: &Reader,
    asked: &AuditReservationsRequest,
) -> Result<AuditReservationsResponse, Error> {
    let size = u32::try_from(asked.page_size).ok().filter(|size| *size > 0).unwrap_or(PAGE);
    let after = asked.page_token.as_str();
    let mut ids = orders(reader, after, size + 1).await?;
    let more = ids.len() > size as usize;
    ids.truncate(size as usize);
    let Some(last) = ids.last().cloned() else { return Ok(AuditReservationsResponse::default()) };
    let reserved = reader.select("id > $2 AND id <= $3").bind(after).bind(&last);
    let reserved: Vec<Reservation> = reserved.fetch_all().await?;
    let mut found: BTreeMap<String, AuditedReservation> = reserved
        .into_iter()
        .map(|reservation| (reservation.id.clone(), audited(reservation)))
        .collect();
    add_moved(reader, after, &last, &mut found).await?;
    Ok(AuditReservationsResponse {
        reservations: found.into_values().collect(),
        next_page_token: if more { last } else { String::new() },
    })
}

/// The ids of the next orders that have a reservation or a movement.
async fn orders(reader: &Reader, after: &str, most: u32) -> Result<Vec<String>, Error> {
    let sql = "SELECT id FROM (\
           SELECT * FROM (SELECT id FROM reservations \
             WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3) AS reserved \
           UNION \
           SELECT * FROM (SELECT DISTINCT order_id AS id FROM stock_movements \
             WHERE project = $1 AND order_id > $2 AND order_id <> '' ORDER BY order_id LIMIT $3) AS moved\
         ) AS orders ORDER BY id LIMIT $3";
    let rows = reader.query(sql).bind(after).bind(most).fetch_all().await?;
    rows.iter().map(|row| row.get("id")).collect()
}

fn audited(reservation: Reservation) -> AuditedReservation {
    let lines = reservation.lines.into_iter();
    AuditedReservation {
        order_id: reservation.id,
        state: reservation.state,
        lines: lines
            .map(|line| AuditedReservationLine {
                variant_id: line.variant_id,
                quantity: line.quantity,
                ..AuditedReservationLine::default()
            })
            .collect(),
        update_time: reservation.update_time,
    }
}

/// Adds what the movements of these orders say.
async fn add_moved(
    reader: &Reader,
    after: &str,
    last: &str,
    found: &mut BTreeMap<String, AuditedReservation>,
) -> Result<(), Error> {
    let sql = "SELECT order_id, variant_id, CAST(SUM(reserved_delta) AS BIGINT) AS held, \
                 CAST(SUM(on_hand_delta) AS BIGINT) AS on_hand, MAX(time) AS latest \
               FROM stock_movements \
               WHERE project = $1 AND order_id <> '' AND order_id > $2 AND order_id <= $3 \
               GROUP BY order_id, variant_id ORDER BY order_id, variant_id";
    for row in reader.query(sql).bind(after).bind(last).fetch_all().await? {
        let order_id: String = row.get("order_id")?;
        let variant_id: String = row.get("variant_id")?;
        let on_hand: i64 = row.get("on_hand")?;
        let of = found
            .entry(order_id.clone())
            .or_insert_with(|| AuditedReservation { order_id, ..AuditedReservation::default() });
        let moved = AuditedReservationLine {
            held: row.get("held")?,
            taken: -on_hand,
            counted: true,
            ..AuditedReservationLine::default()
        };
        if of.update_time.is_none() {
            of.update_time = Some(row.get("latest")?);
        }
        match of.lines.iter_mut().find(|line| line.variant_id == variant_id) {
            Some(line) => {
                *line = AuditedReservationLine { quantity: line.quantity, variant_id, ..moved }
            }
            None => of.lines.push(AuditedReservationLine { variant_id, ..moved }),
        }
    }
    Ok(())
}
