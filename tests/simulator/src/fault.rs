//! What can go wrong, how often, and where: drawn from the seed, the place and the count of its passings.
//!
//! Invariant: time has no part in it. The third reservation of a history meets what the seed has for the
//! third reservation, however long it took to come there.

/// A kind of place at which something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A call from one service, or a customer, to another service.
    Call,
    /// The same of a call that may come twice: its contract says so, or it has an idempotency key.
    RepeatableCall,
    /// The commit of a service.
    Commit,
    /// A question to the provider.
    Provider,
    /// A question to the provider to take an amount.
    Charge,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The callee never sees the call.
    RequestLost,
    /// The callee did it; the caller does not hear so.
    ReplyLost,
    /// The caller hears that the callee is lost; the call arrives later all the same.
    Straggles,
    /// The call waits until some others have passed.
    Delayed,
    /// The call arrives a second time once the first is done.
    Repeated,
    /// The call arrives twice at once.
    Doubled,
    /// The commit is not made, and fails.
    CommitRefused,
    /// The commit is made, and fails.
    CommitLost,
    /// The provider is not asked, and nobody knows that.
    QuestionLost,
    /// The provider surely was not asked.
    Unreached,
    /// The provider did it; its answer is lost.
    AnswerLost,
    /// The provider answers when some calls have passed.
    Late,
    /// The provider says the opposite of what it did.
    Lie,
    /// Every service dies before it.
    KilledBefore,
    /// Every service dies right after it.
    KilledAfter,
}

impl Fault {
    /// What the trace calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RequestLost => "request lost",
            Self::ReplyLost => "reply lost",
            Self::Straggles => "given up, and arrives later",
            Self::Delayed => "delayed",
            Self::Repeated => "repeated",
            Self::Doubled => "doubled",
            Self::CommitRefused => "commit refused",
            Self::CommitLost => "commit made, answer lost",
            Self::QuestionLost => "question lost",
            Self::Unreached => "provider not reached",
            Self::AnswerLost => "provider's answer lost",
            Self::Late => "provider late",
            Self::Lie => "provider says the opposite",
            Self::KilledBefore => "killed before it",
            Self::KilledAfter => "killed after it",
        }
    }

    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }
}

/// What goes wrong at a kind of place, each in so many of 10,000 passings.
const fn rates(place: Place) -> &'static [(Fault, u64)] {
    match place {
        Place::Call => &[
            (Fault::RequestLost, 150),
            (Fault::ReplyLost, 150),
            (Fault::Straggles, 150),
            (Fault::Delayed, 250),
            (Fault::KilledBefore, 25),
            (Fault::KilledAfter, 25),
        ],
        Place::RepeatableCall => &[
            (Fault::RequestLost, 150),
            (Fault::ReplyLost, 150),
            (Fault::Straggles, 150),
            (Fault::Delayed, 250),
            (Fault::Repeated, 150),
            (Fault::Doubled, 150),
            (Fault::KilledBefore, 25),
            (Fault::KilledAfter, 25),
        ],
        Place::Commit => &[
            (Fault::CommitRefused, 120),
            (Fault::CommitLost, 120),
            (Fault::KilledBefore, 25),
            (Fault::KilledAfter, 40),
        ],
        Place::Provider => &[
            (Fault::QuestionLost, 300),
            (Fault::Unreached, 200),
            (Fault::AnswerLost, 400),
            (Fault::Late, 400),
            (Fault::KilledAfter, 100),
        ],
        Place::Charge => &[
            (Fault::QuestionLost, 300),
            (Fault::Unreached, 200),
            (Fault::AnswerLost, 400),
            (Fault::Late, 400),
            (Fault::KilledAfter, 100),
            (Fault::Lie, 700),
        ],
    }
}

/// How a history is plagued.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    seed: u64,
    /// In tenths of the rates above.
    strength: u64,
    /// How often every service may die.
    pub(crate) deaths: u64,
    /// Whether the provider lies.
    pub(crate) lies: bool,
}

impl Weather {
    /// That of a seed: one history in eight is calm, so that what breaks without faults is found too.
    pub(crate) fn of(seed: u64) -> Self {
        let strength = match mix(seed, 1) % 8 {
            0 => 0,
            1..=3 => 5,
            4..=6 => 10,
            _ => 25,
        };
        Self { seed, strength, deaths: mix(seed, 2) % 4, lies: mix(seed, 3).is_multiple_of(8) }
    }

    /// What goes wrong where a place is passed for the n-th time, with a number for the particulars.
    pub(crate) fn draw(&self, place: Place, site: &str, passing: u64) -> Option<(Fault, u64)> {
        let lot = mix(mix(self.seed, hash(site)), passing);
        let mut at = lot % 10_000;
        for (fault, rate) in rates(place) {
            let rate = rate * self.strength / 10;
            if at < rate {
                let happens = *fault != Fault::Lie || self.lies;
                return happens.then_some((*fault, lot / 10_000));
            }
            at -= rate;
        }
        None
    }
}

/// A number that follows from two, as if by chance (`SplitMix64`).
pub(crate) fn mix(seed: u64, salt: u64) -> u64 {
    let mut z = seed.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number that follows from a text (FNV-1a).
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
