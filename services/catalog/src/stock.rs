//! What stock is and may become.

use tradewind::catalog::v1::reservation::State;
use tradewind::catalog::v1::stock_movement::Kind;
use tradewind::catalog::v1::{Reservation, ReservedLine, StockLevel};

use crate::error::{Error, Short};
use crate::store::stock::{Moved, Movement, Step};

/// The most that there can be of a variant.
pub(crate) const MOST: i64 = 1_000_000_000;

/// What there is of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shelf {
    /// Whether its product is active.
    pub(crate) sold: bool,
    /// How many can be bought now; `None` when they are not counted.
    pub(crate) available: Option<i64>,
}

/// A level set anew: what it was, if it was counted, and what it is now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recount {
    pub(crate) was: Option<StockLevel>,
    pub(crate) now: StockLevel,
}

impl Recount {
    /// Sets how many of a variant there are; `None` when there are as many already.
    pub(crate) fn of(
        variant_id: &str,
        was: Option<StockLevel>,
        on_hand: i64,
    ) -> Result<Option<Self>, Error> {
        let level = was.clone().unwrap_or_default();
        if was.as_ref().is_some_and(|was| was.on_hand == on_hand) {
            return Ok(None);
        }
        if on_hand < level.reserved {
            let reserved = level.reserved;
            return Err(Error::BelowReserved { variant_id: variant_id.into(), reserved });
        }
        let now = StockLevel { id: variant_id.into(), on_hand, ..level };
        Ok(Some(Self { was, now }))
    }

    /// Whether it can be bought now and could not before, or the other way round.
    pub(crate) fn turns(&self) -> bool {
        let was_available = self.was.as_ref().is_none_or(|was| was.on_hand > was.reserved);
        was_available != (self.now.on_hand > self.now.reserved)
    }

    pub(crate) fn movement(&self) -> Movement {
        let was = self.was.as_ref().map_or(0, |was| was.on_hand);
        Movement {
            variant_id: self.now.id.clone(),
            kind: Kind::Set,
            on_hand: self.now.on_hand - was,
            reserved: 0,
            order_id: String::new(),
        }
    }
}

/// The lines of a reservation in the order of their variants, each of another.
pub(crate) fn lines(asked: &[ReservedLine]) -> Result<Vec<ReservedLine>, Error> {
    let mut lines = asked.to_vec();
    lines.sort_by(|one, other| one.variant_id.cmp(&other.variant_id));
    match lines.windows(2).find(|pair| pair[0].variant_id == pair[1].variant_id) {
        Some(twice) => Err(Error::RepeatedLine(twice[0].variant_id.clone())),
        None => Ok(lines),
    }
}

/// Says why lines that could not be held could not; nothing when they need not be, since their
/// variants are not counted.
pub(crate) fn refuse(
    asked: &[&ReservedLine],
    shelf: impl Fn(&str) -> Option<Shelf>,
) -> Result<(), Error> {
    let mut not_sold = Vec::new();
    let mut short = Vec::new();
    for line in asked {
        match shelf(&line.variant_id) {
            None | Some(Shelf { sold: false, .. }) => not_sold.push(line.variant_id.clone()),
            Some(Shelf { available: None, .. }) => {}
            Some(Shelf { available: Some(available), .. }) => short.push(Short {
                variant_id: line.variant_id.clone(),
                asked: line.quantity,
                available,
            }),
        }
    }
    if !not_sold.is_empty() {
        return Err(Error::NotSold(not_sold));
    }
    // Some was given back after it was asked for: the next try will see it.
    if short.iter().any(|short| short.available >= short.asked) {
        return Err(Error::StockContended);
    }
    if short.is_empty() { Ok(()) } else { Err(Error::OutOfStock(short)) }
}

/// The reservation after a step, and what the step is to its stock; `None` when it was taken before.
/// Giving back what has left brings it back: the order was cancelled before it was sent.
pub(crate) fn stepped(
    mut reservation: Reservation,
    step: Step,
) -> Result<Option<(Reservation, Step)>, Error> {
    let (next, step) = match (reservation.state(), step) {
        (State::Committed, Step::Commit) | (State::Released, Step::Release | Step::Return) => {
            return Ok(None);
        }
        (State::Held, Step::Commit) => (State::Committed, Step::Commit),
        (State::Held, Step::Release | Step::Return) => (State::Released, Step::Release),
        (State::Committed, Step::Release | Step::Return) => (State::Released, Step::Return),
        (State::Released | State::Unspecified, Step::Commit)
        | (State::Unspecified, Step::Release | Step::Return) => {
            return Err(Error::ReservationReleased(reservation.id));
        }
    };
    reservation.set_state(next);
    Ok(Some((reservation, step)))
}

/// What an order does to the stock of the variants that are counted.
pub(crate) fn movements(
    kind: Kind,
    order_id: &str,
    lines: &[ReservedLine],
    moved: &Moved,
) -> Vec<Movement> {
    let counted = lines.iter().filter(|line| moved.contains_key(&line.variant_id));
    let movement = |line: &ReservedLine| {
        let (on_hand, reserved) = match kind {
            Kind::Reserved => (0, line.quantity),
            Kind::Released => (0, -line.quantity),
            Kind::Committed => (-line.quantity, -line.quantity),
            Kind::Returned => (line.quantity, 0),
            Kind::Set | Kind::Unspecified => (0, 0),
        };
        Movement {
            variant_id: line.variant_id.clone(),
            kind,
            on_hand,
            reserved,
            order_id: order_id.to_owned(),
        }
    };
    counted.map(movement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(variant_id: &str, quantity: i64) -> ReservedLine {
        ReservedLine { variant_id: variant_id.into(), quantity }
    }

    #[test]
    fn lines_are_sorted_and_each_of_another_variant() {
        assert_eq!(lines(&[line("b", 1), line("a", 2)]).unwrap(), [line("a", 2), line("b", 1)]);
        assert!(matches!(
            lines(&[line("b", 1), line("a", 2), line("b", 3)]),
            Err(Error::RepeatedLine(id)) if id == "b"
        ));
    }

    #[test]
    fn a_count_below_what_is_held_is_refused() {
        let level = StockLevel { on_hand: 5, reserved: 3, ..StockLevel::default() };

        let refused = Recount::of("v", Some(level.clone()), 2);
        let set = Recount::of("v", Some(level.clone()), 3).unwrap().unwrap();

        assert!(matches!(refused, Err(Error::BelowReserved { reserved: 3, .. })));
        assert!(set.turns());
        assert_eq!(set.movement().on_hand, -2);
        assert_eq!(Recount::of("v", Some(level), 5).unwrap(), None);
    }

    #[test]
    fn what_is_not_counted_needs_no_hold_and_what_is_not_sold_gets_none() {
        let uncounted = Some(Shelf { sold: true, available: None });

        assert!(refuse(&[&line("v", 1)], |_| uncounted).is_ok());
        assert!(matches!(refuse(&[&line("v", 1)], |_| None), Err(Error::NotSold(_))));
    }

    #[test]
    fn a_step_is_taken_once_and_a_commit_never_after_a_release() {
        let held = Reservation { state: State::Held.into(), ..Reservation::default() };

        let (committed, _) = stepped(held, Step::Commit).unwrap().unwrap();
        assert_eq!(stepped(committed.clone(), Step::Commit).unwrap(), None);
        let (released, taken) = stepped(committed, Step::Release).unwrap().unwrap();

        assert_eq!(taken, Step::Return, "what has left comes back");
        assert_eq!(stepped(released.clone(), Step::Release).unwrap(), None);
        assert!(matches!(stepped(released, Step::Commit), Err(Error::ReservationReleased(_))));
    }
}
