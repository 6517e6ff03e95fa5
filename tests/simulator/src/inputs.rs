//! What customers and the merchant do in a history: drawn from its seed.

use crate::fault::mix;
use crate::world::SHELF;

/// How many customers there are: two guests, and one with an account.
const CUSTOMERS: u64 = 3;
/// What is paid with, some of it more often.
const METHODS: [&str; 12] = [
    "sim_ok",
    "sim_ok",
    "sim_ok",
    "sim_ok",
    "sim_slow",
    "sim_declined",
    "sim_insufficient_funds",
    "sim_requires_action",
    "sim_requires_action",
    "sim_unknown",
    "sim_unknown",
    "sim_unknown_declined",
];

/// One thing that somebody does, each with a key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// A customer places an order: of these, or of what is put into the cart first.
    Buy { customer: u64, lines: Vec<(usize, i64)>, by_cart: bool, method: &'static str },
    /// The very same call as an act before, with its key.
    Repeat { of: usize },
    /// The customer tries to pay an order again.
    Pay { of: usize, method: &'static str },
    /// The customer takes the step that the provider asks for, or refuses it.
    Agree { of: usize, approve: bool },
    /// The customer or the merchant cancels an order.
    Cancel { of: usize, by_merchant: bool },
    /// The merchant gives back so much, or all that is left.
    Refund { of: usize, minor: Option<i64> },
    /// The merchant sends an order.
    Ship { of: usize },
    /// An order arrives.
    Deliver { of: usize },
}

/// Acts that happen at once, and how much time passes before the next.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// The places of the acts in the history.
    pub(crate) acts: Vec<usize>,
    /// Whether everything that follows from them is awaited.
    pub(crate) settles: bool,
    pub(crate) minutes: u64,
}

/// Everything that is done in a history.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    pub(crate) acts: Vec<Act>,
    pub(crate) turns: Vec<Turn>,
}

/// Numbers that follow from a seed.
struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.thrown += 1;
        mix(self.seed, self.thrown) % limit.max(1)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    fn amount(&mut self, limit: u64) -> i64 {
        i64::try_from(self.below(limit)).unwrap_or_default()
    }
}

impl Inputs {
    /// Those of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice { seed: mix(seed, 0x5eed), thrown: 0 };
        let count = 6 + dice.below(9);
        let mut acts: Vec<Act> = Vec::new();
        for _ in 0..count {
            let act = act(&mut dice, &acts);
            acts.push(act);
        }
        let turns = turns(&mut dice, &acts);
        Self { acts, turns }
    }
}

fn act(dice: &mut Dice, before: &[Act]) -> Act {
    let bought: Vec<_> = (0..before.len()).filter(|at| is_purchase(&before[*at])).collect();
    if bought.is_empty() || dice.below(100) < 45 {
        return buy(dice);
    }
    let of = bought[dice.place(bought.len())];
    match dice.below(14) {
        0 | 1 => Act::Repeat { of: dice.place(before.len()) }.or(|of| repeated(before, of), of),
        2 | 3 => Act::Pay { of, method: METHODS[dice.place(METHODS.len())] },
        4 | 5 => Act::Agree { of, approve: !dice.one_in(3) },
        6..=8 => Act::Cancel { of, by_merchant: dice.one_in(2) },
        9 | 10 => Act::Refund { of, minor: None },
        11 => Act::Refund { of, minor: Some(1 + dice.amount(900)) },
        12 => Act::Ship { of },
        _ => Act::Deliver { of },
    }
}

impl Act {
    /// A repeat of what can be repeated; of a purchase otherwise.
    fn or(self, fits: impl Fn(usize) -> bool, instead: usize) -> Self {
        match self {
            Self::Repeat { of } if !fits(of) => Self::Repeat { of: instead },
            act => act,
        }
    }
}

fn repeated(before: &[Act], of: usize) -> bool {
    matches!(before[of], Act::Buy { .. } | Act::Pay { .. } | Act::Refund { .. })
}

fn is_purchase(act: &Act) -> bool {
    matches!(act, Act::Buy { .. })
}

fn buy(dice: &mut Dice) -> Act {
    let customer = dice.below(CUSTOMERS);
    let mut lines = Vec::new();
    let first = dice.place(SHELF.len());
    for at in 0..=dice.place(2) {
        lines.push(((first + at) % SHELF.len(), 1 + dice.amount(3)));
    }
    let method = METHODS[dice.place(METHODS.len())];
    Act::Buy { customer, lines, by_cart: dice.one_in(4), method }
}

/// Puts acts into turns, some of them at once.
fn turns(dice: &mut Dice, acts: &[Act]) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut at = 0;
    while at < acts.len() {
        let together = 1 + if dice.one_in(3) { 1 + dice.place(2) } else { 0 };
        let end = (at + together).min(acts.len());
        let minutes = if dice.one_in(6) { 1 + dice.below(45) } else { 0 };
        let settles = dice.below(10) < 7;
        turns.push(Turn { acts: (at..end).collect(), settles, minutes });
        at = end;
    }
    turns
}
