//! Why the cart did not do what it was asked.

use contract::MoneyError;
use mesh::{Code, Detail, Failure, Status};

/// Why a cart call did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A service asked for itself, and not for a customer.
    #[error("a cart belongs to a customer, and this call is made for none")]
    NoCustomer,
    /// The variant cannot be bought.
    #[error("variant {0} is not sold")]
    VariantNotSold(String),
    /// There are fewer than asked for.
    #[error("variant {variant_id}: {requested} are asked for and {available} are available")]
    OutOfStock {
        /// Which.
        variant_id: String,
        /// How many there would be in the cart.
        requested: i64,
        /// How many can be bought.
        available: i64,
    },
    /// More of one variant than a cart holds.
    #[error("variant {variant_id}: a cart holds at most {limit} of one variant, not {requested}")]
    QuantityLimit {
        /// Which.
        variant_id: String,
        /// How many there would be.
        requested: i64,
        /// How many there may be.
        limit: i64,
    },
    /// More variants than a cart holds.
    #[error("a cart holds at most {0} different variants")]
    CartFull(i64),
    /// The token in the message is not good.
    #[error("guest_access_token: {0}")]
    GuestToken(Box<str>),
    /// The token is good, and not a guest's of this project.
    #[error("guest_access_token: it is not a guest's of this project")]
    NotAGuest,
    /// The prices of the lines do not add up.
    #[error("the lines of this cart cannot be added up: {0}")]
    Amounts(#[from] MoneyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Failure for Error {
    const DOMAIN: &'static str = "cart.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::NoCustomer => (Code::FailedPrecondition, "NO_CUSTOMER"),
            Self::VariantNotSold(_) => (Code::FailedPrecondition, "VARIANT_NOT_SOLD"),
            Self::OutOfStock { .. } => (Code::FailedPrecondition, "OUT_OF_STOCK"),
            Self::QuantityLimit { .. } => (Code::FailedPrecondition, "QUANTITY_LIMIT"),
            Self::CartFull(_) => (Code::FailedPrecondition, "CART_FULL"),
            Self::GuestToken(_) => (Code::InvalidArgument, "INVALID_GUEST_TOKEN"),
            Self::NotAGuest => (Code::InvalidArgument, "NOT_A_GUEST"),
            Self::Amounts(_) => (Code::FailedPrecondition, "AMOUNTS"),
            Self::Store(error) => error.verdict(),
        }
    }

    fn detail(&self) -> Detail {
        match self {
            Self::NoCustomer | Self::Amounts(_) => Detail::default(),
            Self::VariantNotSold(variant_id) => Detail {
                preconditions: vec![unmet("VARIANT_NOT_SOLD", variant_id, "it is not sold".into())],
                ..Detail::default()
            },
            // In the words of the catalog, which refuses a reservation with the same.
            Self::OutOfStock { variant_id, requested, available } => {
                let problem = format!("{available} available, {requested} asked for");
                Detail {
                    metadata: vec![pair(variant_id, available)],
                    preconditions: vec![unmet("OUT_OF_STOCK", variant_id, problem)],
                    ..Detail::default()
                }
            }
            Self::QuantityLimit { variant_id, requested, limit } => {
                let problem = format!("at most {limit}, {requested} asked for");
                Detail {
                    metadata: vec![pair("limit", limit)],
                    preconditions: vec![unmet("QUANTITY_LIMIT", variant_id, problem)],
                    ..Detail::default()
                }
            }
            Self::CartFull(limit) => {
                Detail { metadata: vec![pair("limit", limit)], ..Detail::default() }
            }
            Self::GuestToken(problem) => at_token(problem),
            Self::NotAGuest => at_token("it is not a guest's of this project"),
            Self::Store(error) => error.detail(),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            // A replay is the store's answer, not a failure.
            Error::Store(error) => error.into(),
            error => mesh::status(error),
        }
    }
}

/// A condition that a variant does not meet.
fn unmet(kind: &str, variant_id: &str, problem: String) -> (String, String, String) {
    (kind.to_owned(), variant_id.to_owned(), problem)
}

fn at_token(problem: &str) -> Detail {
    Detail { fields: vec![("guest_access_token".into(), problem.into())], ..Detail::default() }
}

fn pair(name: &str, value: &impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}
