//! Which endpoint a call goes to: of two taken by chance, the one with the smaller load.

use std::sync::Arc;

use tokio::time::Instant;

use super::endpoint::{Endpoint, Turn, since};

/// What calls can do now.
#[derive(Debug, Clone)]
pub(super) enum Picker {
    /// Wait: nobody is ready yet, and nobody has failed.
    Waiting,
    /// Go to one of these.
    Ready(Vec<Arc<Endpoint>>),
    /// Nobody can be reached.
    Failing(Arc<str>),
}

/// Begins a call at one of the endpoints: at one that it has not tried, where there is one.
pub(super) fn pick(
    ready: &[Arc<Endpoint>],
    tried: &[Arc<Endpoint>],
    begun: Instant,
    mut chance: impl FnMut(usize) -> usize,
) -> Option<Turn> {
    let now = Instant::now();
    if let [only] = ready {
        return only.begin(now, true);
    }
    let now_ms = since(begun, now);
    let fresh = |endpoint: &Arc<Endpoint>| !tried.iter().any(|tried| Arc::ptr_eq(tried, endpoint));
    let open = |endpoint: &Arc<Endpoint>| !endpoint.breaker.refuses(now_ms);
    // Two by chance are enough nearly always; when they are not, all are looked at.
    let first = chance(ready.len());
    let second = (first + 1 + chance(ready.len() - 1)) % ready.len();
    let two = [&ready[first], &ready[second]];
    let best = best(two.into_iter().filter(|endpoint| fresh(endpoint) && open(endpoint)), now_ms);
    if let Some(turn) = best.and_then(|endpoint| endpoint.begin(now, false)) {
        return Some(turn);
    }
    let mut rest: Vec<_> = ready.iter().collect();
    rest.sort_by(|one, other| {
        let worth = |endpoint| (!open(endpoint), !fresh(endpoint));
        let cost = |endpoint: &Arc<Endpoint>| endpoint.load.cost(now_ms);
        worth(one).cmp(&worth(other)).then(cost(one).total_cmp(&cost(other)))
    });
    let turn = rest.iter().find_map(|endpoint| endpoint.begin(now, false));
    // Where all are to be left alone, none is: there is nobody else to take the calls.
    turn.or_else(|| rest.iter().find_map(|endpoint| endpoint.begin(now, true)))
}

fn best<'e>(
    endpoints: impl Iterator<Item = &'e Arc<Endpoint>>,
    now_ms: u32,
) -> Option<&'e Arc<Endpoint>> {
    endpoints.min_by(|one, other| one.load.cost(now_ms).total_cmp(&other.load.cost(now_ms)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::breaker::{Leave, Verdict};
    use super::super::connection::{Address, Connection};
    use super::*;

    /// What an endpoint can be like, as far as whoever picks can tell.
    #[derive(Debug, Clone, Copy)]
    struct Like {
        /// Its connection is open.
        is_open: bool,
        /// Its breaker is shut.
        is_shut: bool,
        /// The call was there before.
        was_tried: bool,
        /// How long it takes to answer, beside the others.
        cost: u64,
    }

    impl Like {
        /// Every kind of endpoint at this cost.
        fn all(cost: u64) -> impl Iterator<Item = Self> {
            (0..8).map(move |bits| Self {
                is_open: bits & 1 == 0,
                is_shut: bits & 2 != 0,
                was_tried: bits & 4 != 0,
                cost,
            })
        }

        fn made(self, connection: &Arc<Connection>, begun: Instant) -> Arc<Endpoint> {
            let endpoint = Endpoint::new(Address::Unix("x".into()), None, begun);
            if self.is_open {
                endpoint.set_connections(vec![Arc::clone(connection)]);
            }
            if self.is_shut {
                let bad = || endpoint.breaker.report(Leave::Granted, Verdict::Bad, 0);
                (0..5).for_each(|_| bad());
            }
            endpoint.load.begin_anew(Some(Duration::from_millis(self.cost)), 0);
            Arc::new(endpoint)
        }
    }

    /// Which of some endpoints is picked, when chance falls like this.
    fn picked(likes: &[Like], chances: [usize; 2], connection: &Arc<Connection>) -> Option<usize> {
        let begun = Instant::now();
        let all: Vec<_> = likes.iter().map(|like| like.made(connection, begun)).collect();
        let tried = all.iter().zip(likes).filter(|(_, like)| like.was_tried);
        let tried: Vec<_> = tried.map(|(endpoint, _)| Arc::clone(endpoint)).collect();
        let mut chances = chances.into_iter();
        let turn = pick(&all, &tried, begun, |below| chances.next().unwrap_or(0) % below)?;
        all.iter().position(|endpoint| Arc::ptr_eq(endpoint, turn.endpoint()))
    }

    /// Every fleet of one to three endpoints in every state, in every order of cost, with every chance.
    #[tokio::test(start_paused = true)]
    async fn no_fleet_and_no_chance_picks_a_worse_one_while_there_is_a_better() {
        let (near, _far) = tokio::io::duplex(1 << 16);
        let connection = Arc::new(Connection::over(near).await.unwrap());
        let mut fleets: Vec<Vec<Like>> = vec![Vec::new()];
        let mut seen = 0;
        while let Some(fleet) = fleets.pop() {
            if fleet.len() < 3 {
                let costs = (1..=3).filter(|cost| fleet.iter().all(|like| like.cost != *cost));
                let more = costs.flat_map(Like::all);
                fleets.extend(more.map(|like| [fleet.clone(), vec![like]].concat()));
            }
            for chances in [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]] {
                if fleet.is_empty() {
                    continue;
                }
                let picked = picked(&fleet, chances, &connection);
                check(&fleet, chances, picked);
                seen += 1;
            }
        }
        assert!(seen > 10_000, "{seen}");
    }

    fn check(fleet: &[Like], chances: [usize; 2], picked: Option<usize>) {
        let said = format!("{picked:?} of {fleet:?} by {chances:?}");
        let open = || fleet.iter().filter(|like| like.is_open);
        let Some(picked) = picked.map(|at| fleet[at]) else {
            // Nobody is picked where nobody is there.
            return assert_eq!(open().count(), 0, "{said}");
        };
        assert!(picked.is_open, "{said}");
        let well = || open().filter(|like| !like.is_shut);
        assert!(!picked.is_shut || well().count() == 0, "{said}");
        let fresh = || well().filter(|like| !like.was_tried);
        assert!(!picked.was_tried || picked.is_shut || fresh().count() == 0, "{said}");
        // Of the two that chance names, the dearer is taken only when the other will not do.
        let first = chances[0] % fleet.len();
        if fleet.len() > 1 {
            let second = (first + 1 + chances[1] % (fleet.len() - 1)) % fleet.len();
            let two = [fleet[first], fleet[second]];
            let would_do = |like: &Like| like.is_open && !like.is_shut && !like.was_tried;
            if two.iter().all(would_do) {
                let cheaper = two.iter().map(|like| like.cost).min();
                assert_eq!(Some(picked.cost), cheaper, "{said}");
            }
        }
    }
}
