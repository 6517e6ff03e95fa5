//! Why notifications did not do what they were asked.

use mesh::{Code, Detail, Failure, Status};

/// Why a notifications call or event did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A service asked for itself, and not for a customer.
    #[error("notifications belong to a customer, and this call is made for none")]
    NoCustomer,
    /// There is no such notification, or it is another customer's.
    #[error("notification {0} does not exist")]
    NotificationNotFound(String),
    /// An event tells of no order.
    #[error("the event tells of no order")]
    NoOrder,
    /// A mail could not be written.
    #[error("internal error")]
    Template(#[from] minijinja::Error),
    /// The mail server did not take a mail now.
    #[error("the mail server did not take the mail: {0}")]
    NotSent(#[source] lettre::transport::smtp::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Failure for Error {
    const DOMAIN: &'static str = "notifications.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::NoCustomer => (Code::FailedPrecondition, "NO_CUSTOMER"),
            Self::NotificationNotFound(_) => (Code::NotFound, "NOTIFICATION_NOT_FOUND"),
            Self::NoOrder => (Code::InvalidArgument, "NO_ORDER"),
            Self::Template(_) => (Code::Internal, "TEMPLATE"),
            Self::NotSent(_) => (Code::Unavailable, "NOT_SENT"),
            Self::Store(error) => error.verdict(),
        }
    }

    fn detail(&self) -> Detail {
        match self {
            Self::NotificationNotFound(id) => {
                Detail { metadata: vec![("id".into(), id.clone())], ..Detail::default() }
            }
            Self::NoCustomer | Self::NoOrder | Self::Template(_) | Self::NotSent(_) => {
                Detail::default()
            }
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
