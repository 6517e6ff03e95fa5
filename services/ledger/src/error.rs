//! Why the ledger did not do what it was asked.

use std::sync::Arc;

use mesh::{Code, Detail, Failure, Status};

/// Why a ledger call did not do what it was asked.
///
/// What is wrong with one transfer is its result, not an error of the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The token does not come from a page.
    #[error("page_token: it is not the `next_page_token` of a page")]
    InvalidPageToken,
    /// The writer ended before it had an answer, so what became of the call is not known.
    #[error("what became of the transfers is not known; ask again with the same ids")]
    Interrupted,
    /// The transaction that held the call failed.
    #[error(transparent)]
    Write(Arc<store::Error>),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Failure for Error {
    const DOMAIN: &'static str = "ledger.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::InvalidPageToken => (Code::InvalidArgument, "INVALID_PAGE_TOKEN"),
            Self::Interrupted => (Code::Unavailable, "INTERRUPTED"),
            Self::Write(error) => error.verdict(),
            Self::Store(error) => error.verdict(),
        }
    }

    fn detail(&self) -> Detail {
        match self {
            Self::InvalidPageToken => Detail {
                fields: vec![("page_token".into(), "it is not the token of a page".into())],
                ..Detail::default()
            },
            Self::Interrupted => Detail::default(),
            Self::Write(error) => error.detail(),
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
