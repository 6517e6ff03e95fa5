//! Which endpoint a call goes to: of two taken by chance, the one with the smaller load.

use std::sync::Arc;

use super::endpoint::{Endpoint, Turn};

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
    now_ms: u32,
    mut chance: impl FnMut(usize) -> usize,
) -> Option<Turn> {
    if let [only] = ready {
        return only.begin(true);
    }
    let fresh = |endpoint: &Arc<Endpoint>| !tried.iter().any(|tried| Arc::ptr_eq(tried, endpoint));
    let open = |endpoint: &Arc<Endpoint>| !endpoint.breaker.refuses(now_ms);
    // Two by chance are enough nearly always; when they are not, all are looked at.
    let first = chance(ready.len());
    let second = (first + 1 + chance(ready.len() - 1)) % ready.len();
    let two = [&ready[first], &ready[second]];
    let best = best(two.into_iter().filter(|endpoint| fresh(endpoint) && open(endpoint)), now_ms);
    if let Some(turn) = best.and_then(|endpoint| endpoint.begin(false)) {
        return Some(turn);
    }
    let mut rest: Vec<_> = ready.iter().collect();
    rest.sort_by(|one, other| {
        let worth = |endpoint| (!open(endpoint), !fresh(endpoint));
        let cost = |endpoint: &Arc<Endpoint>| endpoint.load.cost(now_ms);
        worth(one).cmp(&worth(other)).then(cost(one).total_cmp(&cost(other)))
    });
    let turn = rest.iter().find_map(|endpoint| endpoint.begin(false));
    // Where all are to be left alone, none is: there is nobody else to take the calls.
    turn.or_else(|| rest.iter().find_map(|endpoint| endpoint.begin(true)))
}

fn best<'e>(
    endpoints: impl Iterator<Item = &'e Arc<Endpoint>>,
    now_ms: u32,
) -> Option<&'e Arc<Endpoint>> {
    endpoints.min_by(|one, other| one.load.cost(now_ms).total_cmp(&other.load.cost(now_ms)))
}
