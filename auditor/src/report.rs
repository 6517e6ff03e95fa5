//! What an audit found.

use serde::Serialize;

/// Something that must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// An order says of its money what its payment says.
    Amounts,
    /// The ledger moved and holds for an order what its payment says.
    Ledger,
    /// No order is paid twice.
    PaidOnce,
    /// What is under way has a task that ends it.
    UnderWay,
    /// An order holds, or has taken, the stock that its state says.
    Stock,
    /// The stock of a variant is what its movements add up to.
    Shelf,
    /// A customer is told once of what happened.
    Told,
    /// Nothing takes longer than it may.
    Stuck,
    /// A provider has on record what is known here.
    Provider,
    /// The book adds up.
    Book,
    /// The orders of a project say in sum what payments and ledger say.
    Sums,
    /// No provider contradicts what is known.
    Review,
}

impl Check {
    /// What it is called in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amounts => "amounts",
            Self::Ledger => "ledger",
            Self::PaidOnce => "paid_once",
            Self::UnderWay => "under_way",
            Self::Stock => "stock",
            Self::Shelf => "shelf",
            Self::Told => "told",
            Self::Stuck => "stuck",
            Self::Provider => "provider",
            Self::Book => "book",
            Self::Sums => "sums",
            Self::Review => "review",
        }
    }
}

/// What one side says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Who says it, such as `orders`.
    pub who: String,
    /// What.
    pub says: String,
}

impl Side {
    pub(crate) fn new(who: &str, says: impl Into<String>) -> Self {
        Self { who: who.to_owned(), says: says.into() }
    }
}

/// Something that does not hold, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What should hold.
    pub check: Check,
    /// What it is about: an order, an attempt, a variant, a task.
    pub id: String,
    /// What is wrong.
    pub problem: String,
    /// What each side says.
    pub sides: Vec<Side>,
    /// What to do about it.
    pub advice: String,
    /// Whether it is under way still: what it is about changed just now, or a task will change it.
    pub settling: bool,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many orders were looked at.
    pub orders: u64,
    /// Everything that does not hold.
    pub findings: Vec<Finding>,
    /// Providers that tell nobody what they have on record, so that nothing could be compared.
    pub silent_providers: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong; what is under way is not.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.disagreements().next().is_none()
    }

    /// Whether nothing is wrong, and nothing is under way that looks so.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.findings.is_empty()
    }

    /// What is wrong.
    pub fn disagreements(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.settling)
    }

    /// What may still come right by itself.
    pub fn settling(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.settling)
    }
}
