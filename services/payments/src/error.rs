//! Why payments did not do what they were asked.

use std::time::Duration;

use mesh::{Code, Detail, Failure, Status};
use tradewind::money::v1::Money;

/// When a payment that is being resolved is worth asking for again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Why a payments call did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A card number came where a token belongs.
    #[error("card numbers are not accepted; send the provider's token for the card")]
    CardNumber,
    /// Nothing, or less, is to be moved.
    #[error("the amount must be above 0")]
    NotPositive,
    /// A repeat is not what the first call was.
    #[error("{field} is not what it was in the first call for this id")]
    Differs {
        /// The field of the request.
        field: &'static str,
    },
    /// No provider takes what is to be paid with.
    #[error("no provider accepts this payment method")]
    NoProvider,
    /// An attempt was made with a provider that is no longer configured.
    #[error("the provider {0} is not configured any more")]
    ProviderGone(String),
    /// The order has no payment.
    #[error("order {0} has no payment")]
    NoPayment(String),
    /// The outcome of the newest attempt is not known.
    #[error("the payment of order {0} has not been resolved yet; the provider is being asked")]
    Unresolved(String),
    /// Answers contradict each other.
    #[error("the payment of order {0} is under review")]
    InReview(String),
    /// The intent was given up.
    #[error("the payment of order {0} was canceled")]
    Canceled(String),
    /// There is a newer attempt.
    #[error("attempt {number} of order {order_id} is over; there is a newer one")]
    Superseded {
        /// The order.
        order_id: String,
        /// The attempt that was asked for.
        number: i32,
    },
    /// There is nothing to give back.
    #[error("order {0} is not paid")]
    NotPaid(String),
    /// More is to be given back than is left.
    #[error("{} {} is left to give back", .left.minor, .left.currency_code)]
    RefundExceeds {
        /// What is left, in minor units.
        left: Money,
    },
    /// The customer has no step to take.
    #[error("payment {0} does not wait for its customer")]
    NoAction(String),
    /// The customer's step is the provider's own affair.
    #[error("the step is taken on pages of the provider {0}")]
    NotSimulated(String),
    /// The provider was not reached, and nothing was taken.
    #[error("the provider cannot be reached at the moment; nothing was taken")]
    ProviderUnreachable,
    /// A provider did not say what it has on record.
    #[error("the provider {0} does not say at the moment what it has on record")]
    ProviderUnanswered(String),
    /// A page token is not one that was given.
    #[error("page_token is not one of a page before")]
    InvalidPageToken,
    /// The ledger was not reached.
    #[error("the ledger cannot be reached at the moment")]
    LedgerUnreachable(#[source] Status),
    /// The ledger will not hold a movement.
    #[error("internal error")]
    LedgerRefused(#[source] Refused),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What the ledger said of a transfer or an account.
#[derive(Debug, thiserror::Error)]
#[error("the ledger refused {id}: {code}")]
pub(crate) struct Refused {
    /// The transfer or the account.
    pub(crate) id: String,
    /// The name of the result.
    pub(crate) code: &'static str,
}

impl Failure for Error {
    const DOMAIN: &'static str = "payments.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::CardNumber => (Code::InvalidArgument, "CARD_NUMBER_REFUSED"),
            Self::NotPositive => (Code::InvalidArgument, "INVALID_AMOUNT"),
            Self::Differs { .. } => (Code::InvalidArgument, "PAYMENT_DIFFERS"),
            Self::NoProvider => (Code::FailedPrecondition, "NO_PROVIDER"),
            Self::ProviderGone(_) => (Code::Internal, "PROVIDER_GONE"),
            Self::NoPayment(_) => (Code::NotFound, "PAYMENT_NOT_FOUND"),
            // Not a refusal: money may have been taken, and a repeat may hear of it.
            Self::Unresolved(_) => (Code::Aborted, "PAYMENT_UNRESOLVED"),
            Self::InReview(_) => (Code::FailedPrecondition, "PAYMENT_IN_REVIEW"),
            Self::Canceled(_) => (Code::FailedPrecondition, "PAYMENT_CANCELED"),
            Self::Superseded { .. } => (Code::FailedPrecondition, "ATTEMPT_SUPERSEDED"),
            Self::NotPaid(_) => (Code::FailedPrecondition, "PAYMENT_NOT_PAID"),
            Self::RefundExceeds { .. } => (Code::FailedPrecondition, "REFUND_EXCEEDS_CAPTURED"),
            Self::NoAction(_) => (Code::FailedPrecondition, "NO_ACTION_REQUIRED"),
            Self::NotSimulated(_) => (Code::FailedPrecondition, "NOT_SIMULATED"),
            Self::ProviderUnreachable => (Code::Unavailable, "PROVIDER_UNREACHABLE"),
            Self::ProviderUnanswered(_) => (Code::Unavailable, "PROVIDER_UNANSWERED"),
            Self::InvalidPageToken => (Code::InvalidArgument, "INVALID_PAGE_TOKEN"),
            Self::LedgerUnreachable(_) => (Code::Unavailable, "LEDGER_UNREACHABLE"),
            Self::LedgerRefused(_) => (Code::Internal, "LEDGER_REFUSED"),
            Self::Store(error) => error.verdict(),
        }
    }

    fn detail(&self) -> Detail {
        let mut detail = Detail::default();
        match self {
            Self::CardNumber => {
                detail.fields.push(("payment_method".into(), self.to_string()));
            }
            Self::NotPositive => detail.fields.push(("amount".into(), self.to_string())),
            Self::Differs { field } => detail.fields.push(((*field).into(), self.to_string())),
            Self::InvalidPageToken => {
                detail.fields.push(("page_token".into(), self.to_string()));
            }
            Self::Unresolved(_)
            | Self::ProviderUnreachable
            | Self::ProviderUnanswered(_)
            | Self::LedgerUnreachable(_) => {
                detail.retry_after = Some(ASK_AGAIN);
            }
            Self::RefundExceeds { left } => {
                detail.metadata.push(("left_minor".into(), left.minor.to_string()));
                detail.metadata.push(("currency_code".into(), left.currency_code.clone()));
            }
            Self::Store(error) => return error.detail(),
            Self::NoProvider
            | Self::ProviderGone(_)
            | Self::NoPayment(_)
            | Self::InReview(_)
            | Self::Canceled(_)
            | Self::Superseded { .. }
            | Self::NotPaid(_)
            | Self::NoAction(_)
            | Self::NotSimulated(_)
            | Self::LedgerRefused(_) => {}
        }
        detail
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
