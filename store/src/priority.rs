//! Which of the tasks that are due are taken first, and how many of each kind.

use std::collections::HashMap;

/// How much longer a task must have waited than one of the next higher priority to be taken before it,
/// in microseconds. So nothing starves: what comes due a minute after a bulk task goes behind it.
const HANDICAP: i64 = 30_000_000;

/// Who waits for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// A person, at this moment.
    Interactive,
    /// The course of things.
    #[default]
    Usual,
    /// Nobody in particular: there are many of its kind, or it cleans up.
    Bulk,
}

impl Priority {
    pub(crate) const ALL: [Self; 3] = [Self::Interactive, Self::Usual, Self::Bulk];

    /// What its column holds.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Interactive => 0,
            Self::Usual => 1,
            Self::Bulk => 2,
        }
    }
}

/// A task that may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) kind: &'static str,
    pub(crate) priority: Priority,
    pub(crate) due: i64,
}

impl Candidate {
    /// When it would be its turn if all had one priority.
    fn rank(&self) -> i64 {
        self.due.saturating_add(self.priority.number().saturating_mul(HANDICAP))
    }
}

/// How many tasks of one kind and priority are taken, those first that have been due longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) kind: &'static str,
    pub(crate) priority: Priority,
    pub(crate) count: i64,
}

/// How much of a kind may run at once, and does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) most: usize,
    pub(crate) running: usize,
}

/// What there is room for among the tasks that are due.
///
/// Each kind of which nothing runs keeps a place free, so that no other keeps it waiting, however
/// many there are of it and however long they take.
pub(crate) fn share(
    mut due: Vec<Candidate>,
    mut loads: HashMap<&'static str, Load>,
    most: usize,
) -> Vec<Lane> {
    due.sort_by_key(Candidate::rank);
    let mut lanes: Vec<Lane> = Vec::new();
    for Candidate { kind, priority, .. } in due {
        let running: usize = loads.values().map(|load| load.running).sum();
        let kept =
            loads.iter().filter(|(other, load)| **other != kind && load.running == 0).count();
        let Some(load) = loads.get_mut(kind) else { continue };
        let free = most.saturating_sub(running);
        let takes_its_own = load.running == 0 && free > 0;
        if load.running >= load.most || !(takes_its_own || free > kept) {
            continue;
        }
        load.running += 1;
        match lanes.iter_mut().find(|lane| lane.kind == kind && lane.priority == priority) {
            Some(lane) => lane.count += 1,
            None => lanes.push(Lane { kind, priority, count: 1 }),
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn of(kind: &'static str, priority: Priority, seconds: i64, count: usize) -> Vec<Candidate> {
        vec![Candidate { kind, priority, due: seconds * SECOND }; count]
    }

    fn idle(kinds: &[&'static str]) -> HashMap<&'static str, Load> {
        kinds.iter().map(|kind| (*kind, Load { most: usize::MAX, running: 0 })).collect()
    }

    fn count(lanes: &[Lane], kind: &str) -> i64 {
        lanes.iter().filter(|lane| lane.kind == kind).map(|lane| lane.count).sum()
    }

    #[test]
    fn what_somebody_waits_for_goes_before_what_nobody_does() {
        let due =
            [of("mail", Priority::Bulk, 0, 8), of("mail", Priority::Interactive, 59, 3)].concat();

        let lanes = share(due, idle(&["mail"]), 4);

        assert_eq!(lanes[0], Lane { kind: "mail", priority: Priority::Interactive, count: 3 });
        assert_eq!(lanes[1], Lane { kind: "mail", priority: Priority::Bulk, count: 1 });
    }

    #[test]
    fn what_has_waited_a_minute_longer_goes_before_what_somebody_waits_for() {
        let due =
            [of("mail", Priority::Interactive, 61, 8), of("mail", Priority::Bulk, 0, 2)].concat();

        let lanes = share(due, idle(&["mail"]), 4);

        assert_eq!(lanes[0], Lane { kind: "mail", priority: Priority::Bulk, count: 2 });
    }

    #[test]
    fn no_kind_takes_the_last_place_of_another() {
        let mut loads = idle(&["slow", "quick", "rare"]);
        let lanes = share(of("slow", Priority::Usual, 0, 100), loads.clone(), 16);
        assert_eq!(count(&lanes, "slow"), 14);

        loads.insert("slow", Load { most: usize::MAX, running: 14 });
        let due = [of("slow", Priority::Usual, 0, 100), of("quick", Priority::Bulk, 9, 5)].concat();
        let lanes = share(due, loads, 16);
        assert_eq!((count(&lanes, "slow"), count(&lanes, "quick")), (0, 1));
    }

    #[test]
    fn a_kind_has_no_more_than_its_limit_and_leaves_the_rest_to_others() {
        let mut loads = idle(&["slow", "quick"]);
        loads.insert("slow", Load { most: 2, running: 1 });
        let due =
            [of("slow", Priority::Interactive, 0, 9), of("quick", Priority::Bulk, 9, 9)].concat();

        let lanes = share(due, loads, 6);

        assert_eq!((count(&lanes, "slow"), count(&lanes, "quick")), (1, 4));
    }

    #[test]
    fn with_fewer_places_than_kinds_each_still_gets_its_turn() {
        let due = [of("a", Priority::Usual, 1, 3), of("b", Priority::Usual, 0, 3)].concat();

        let lanes = share(due, idle(&["a", "b", "c"]), 1);

        assert_eq!(lanes, [Lane { kind: "b", priority: Priority::Usual, count: 1 }]);
    }
}
