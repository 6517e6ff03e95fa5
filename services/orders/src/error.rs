//! Why orders did not do what they were asked.

use mesh::{Code, Detail, Failure, Status};
use tradewind::orders::v1::order::State;

/// Why an orders call did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing to buy.
    #[error("there is nothing to order: the request has no lines and the cart is empty")]
    NothingToOrder,
    /// A line's variant cannot be bought.
    #[error("variant {variant_id} is not sold")]
    NotSold {
        /// Which field names it.
        field: String,
        /// The variant.
        variant_id: String,
    },
    /// Two lines of one variant.
    #[error("variant {variant_id} stands in two lines")]
    Twice {
        /// Which field names it again.
        field: String,
        /// The variant.
        variant_id: String,
    },
    /// A guest without an address for mail.
    #[error("a guest's order needs an e-mail address")]
    NoEmail,
    /// Not an address.
    #[error("the e-mail address is not one")]
    InvalidEmail,
    /// There is no such order, or the token is not its.
    #[error("order {0} does not exist")]
    NotFound(String),
    /// A process has ended, or there never was one.
    #[error("there is no process {0} under way")]
    SagaNotFound(String),
    /// Who may read every order may not change them all.
    #[error("order {0} is another customer's; changing it needs the permission orders.manage")]
    AnotherCustomers(String),
    /// The order's state does not allow it.
    #[error("order {id} cannot be {verb} while it is {}", name(*state))]
    WrongState {
        /// The order.
        id: String,
        /// What was asked.
        verb: &'static str,
        /// What it is.
        state: State,
    },
    /// It is not known whether the last attempt took the money.
    #[error("it is not known yet what became of the payment of order {0}; ask again in a while")]
    PaymentUnresolved(String),
    /// The customer has a step to take first.
    #[error("the payment of order {0} waits for the customer; see its payment.next_action")]
    ActionRequired(String),
    /// The stock that was held is gone.
    #[error("order {0} has expired: its stock is no longer held")]
    Expired(String),
    /// Its checkout was refused by a process that ended while it took the checkout back, and with it the reason.
    #[error(
        "the order could not be placed, and what was begun of it was taken back; place it again, with a new key"
    )]
    NotPlaced,
    /// A refund of nothing, or of more than is left.
    #[error("the amount must be between 1 and {left} minor units of {currency}")]
    RefundOutOfRange {
        /// What could be given back.
        left: i64,
        /// In this currency.
        currency: String,
    },
    /// The provider gave nothing back.
    #[error("the payment provider refused to give back what was asked of order {0}")]
    RefundRefused(String),
    /// A refund in another currency.
    #[error("the order was paid in {0}")]
    WrongCurrency(String),
    /// The project's settings and its prices do not fit together.
    #[error("the order cannot be priced: {0}")]
    Unpriceable(#[from] tradewind::MoneyError),
    /// Another process works on the order.
    #[error("order {0} is being worked on; ask again")]
    Busy(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A state as people read it.
fn name(state: State) -> String {
    state.as_str_name().trim_start_matches("STATE_").to_lowercase().replace('_', " ")
}

impl Error {
    /// The reason of [`Error::Busy`].
    pub(crate) const BUSY: &'static str = "ORDER_BUSY";
}

impl Failure for Error {
    const DOMAIN: &'static str = "orders.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::NothingToOrder => (Code::FailedPrecondition, "NOTHING_TO_ORDER"),
            Self::NotSold { .. } => (Code::FailedPrecondition, "VARIANT_NOT_SOLD"),
            Self::Twice { .. } => (Code::InvalidArgument, "VARIANT_TWICE"),
            Self::NoEmail => (Code::InvalidArgument, "EMAIL_REQUIRED"),
            Self::InvalidEmail => (Code::InvalidArgument, "INVALID_EMAIL"),
            Self::NotFound(_) => (Code::NotFound, "ORDER_NOT_FOUND"),
            Self::SagaNotFound(_) => (Code::NotFound, "SAGA_NOT_FOUND"),
            Self::NotPlaced => (Code::FailedPrecondition, "ORDER_NOT_PLACED"),
            Self::AnotherCustomers(_) => (Code::PermissionDenied, "ANOTHER_CUSTOMERS_ORDER"),
            Self::WrongState { .. } => (Code::FailedPrecondition, "WRONG_ORDER_STATE"),
            Self::PaymentUnresolved(_) => (Code::FailedPrecondition, "PAYMENT_UNRESOLVED"),
            Self::ActionRequired(_) => (Code::FailedPrecondition, "PAYMENT_REQUIRES_ACTION"),
            Self::Expired(_) => (Code::FailedPrecondition, "ORDER_EXPIRED"),
            Self::RefundOutOfRange { .. } => (Code::InvalidArgument, "REFUND_OUT_OF_RANGE"),
            Self::RefundRefused(_) => (Code::FailedPrecondition, "REFUND_REFUSED"),
            Self::WrongCurrency(_) => (Code::InvalidArgument, "WRONG_CURRENCY"),
            Self::Unpriceable(_) => (Code::FailedPrecondition, "UNPRICEABLE"),
            Self::Busy(_) => (Code::Aborted, Self::BUSY),
            Self::Store(error) => error.verdict(),
        }
    }

    fn detail(&self) -> Detail {
        let field = |field: &str| Detail {
            fields: vec![(field.to_owned(), self.to_string())],
            ..Detail::default()
        };
        match self {
            Self::NotSold { field: at, .. } | Self::Twice { field: at, .. } => field(at),
            Self::NoEmail | Self::InvalidEmail => field("email"),
            Self::RefundOutOfRange { .. } => field("amount.minor"),
            Self::WrongCurrency(_) => field("amount.currency_code"),
            Self::WrongState { state, .. } => Detail {
                metadata: vec![("state".into(), state.as_str_name().into())],
                ..Detail::default()
            },
            Self::PaymentUnresolved(_) | Self::Busy(_) => {
                Detail { retry_after: Some(std::time::Duration::from_secs(2)), ..Detail::default() }
            }
            Self::Store(error) => error.detail(),
            Self::NothingToOrder
            | Self::NotFound(_)
            | Self::SagaNotFound(_)
            | Self::AnotherCustomers(_)
            | Self::ActionRequired(_)
            | Self::Expired(_)
            | Self::NotPlaced
            | Self::RefundRefused(_)
            | Self::Unpriceable(_) => Detail::default(),
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
