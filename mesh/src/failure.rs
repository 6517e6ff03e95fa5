//! Why a call did not do what it was asked, and how its caller is told.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of failures of the mesh itself.
pub use contract::codec::DOMAIN;

/// The longest message and metadata that go out; longer headers hang some clients (16 KiB is common).
const LONGEST_MESSAGE: usize = 2048;

/// Tells a client after how many milliseconds to retry (gRFC A6).
pub const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// An error of a service: `Display` is the public sentence, `source` the private cause.
pub trait Failure: std::error::Error + Send + Sync + 'static {
    /// Who speaks, such as `orders.tradewind`.
    const DOMAIN: &'static str;

    /// The code, and the reason that programs tell failures apart by.
    fn verdict(&self) -> (Code, &'static str);

    /// What a program may want to know besides.
    fn detail(&self) -> Detail {
        Detail::default()
    }
}

/// What a program may want to know of a failure.
#[derive(Debug, Clone, Default)]
pub struct Detail {
    /// Names and values, such as what is available.
    pub metadata: Vec<(String, String)>,
    /// The request's fields at fault, each with what is wrong.
    pub fields: Vec<(String, String)>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Conditions that did not hold, such as one for each line out of stock: type, subject, description.
    pub preconditions: Vec<(String, String, String)>,
}

/// The status of a failure, with `ErrorInfo`; the failure stays its source, for one layer to log.
pub fn status<F: Failure>(failure: F) -> Status {
    let (code, reason) = failure.verdict();
    let mut status = refuse(code, F::DOMAIN, reason, &failure.to_string(), failure.detail());
    status.set_source(std::sync::Arc::new(failure));
    status
}

/// A status with `ErrorInfo` and what else there is to know.
#[must_use]
pub fn refuse(code: Code, domain: &str, reason: &str, message: &str, detail: Detail) -> Status {
    let mut details = ErrorDetails::new();
    let metadata: HashMap<_, _> = detail.metadata.into_iter().collect();
    details.set_error_info(reason, domain, metadata);
    for (field, description) in detail.fields {
        details.add_bad_request_violation(field, description);
    }
    for (kind, subject, description) in detail.preconditions {
        details.add_precondition_failure_violation(kind, subject, description);
    }
    if let Some(after) = detail.retry_after {
        details.set_retry_info(Some(after));
    }
    let end = message.floor_char_boundary(LONGEST_MESSAGE);
    Status::with_error_details(code, &message[..end], details)
}

/// The reason that programs tell a failure apart by, where it has one.
#[must_use]
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// Why the mesh itself refused a call.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such RPC.
    #[error("there is no RPC {0}")]
    Unknown(String),
    /// The deadline passed.
    #[error("the deadline passed before the answer was ready")]
    DeadlineExceeded,
    /// `grpc-timeout` is not what it should be.
    #[error("grpc-timeout `{0}` is not up to 8 digits and one of H M S m u n")]
    MalformedTimeout(String),
    /// A credential is needed.
    #[error("sign in: this call needs an access token in the authorization metadata")]
    Unauthenticated,
    /// The token is not valid.
    #[error("the access token is not valid: {0}")]
    InvalidToken(&'static str),
    /// The keys that tokens are checked with cannot be had now.
    #[error("tokens cannot be checked at the moment")]
    NoKeys,
    /// The caller lacks a permission.
    #[error("this call needs the permission {0}")]
    PermissionDenied(String),
    /// Only services may call.
    #[error("this call is for services of the mesh")]
    Internal,
    /// Too many calls.
    #[error("too many calls; try again in {0:?}")]
    RateLimited(Duration),
    /// More calls than the process can answer in time.
    #[error("too many calls are being answered; try again in {0:?}")]
    Overloaded(Duration),
    /// A key is needed.
    #[error("this call needs an idempotency-key in its metadata, 1 to 255 characters")]
    IdempotencyKeyRequired,
    /// The key is not what it should be.
    #[error("the idempotency-key must be given once, with 1 to 255 visible ASCII characters")]
    MalformedIdempotencyKey,
    /// A service calls another while it holds a transaction.
    #[error("internal error")]
    TransactionOpen,
    /// No answer from the service.
    #[error("{0} cannot be reached at the moment")]
    Unavailable(&'static str),
    /// Too many calls to one service at once.
    #[error("too many calls to {0} are under way")]
    Crowded(&'static str),
    /// A stream cannot be sent again.
    #[error("internal error")]
    Unrepeatable,
    /// The other process reset the call.
    #[error("{0} has broken the call off")]
    PeerBroken(&'static str),
    /// The other process cancelled the call.
    #[error("{0} has cancelled the call")]
    PeerCancelled(&'static str),
    /// The other process has had enough.
    #[error("{0} wants no more calls for now")]
    PeerOverrun(&'static str),
    /// The other process wants a better connection.
    #[error("{0} wants a connection of better security")]
    PeerInsecure(&'static str),
    /// A service that calls another without having declared it.
    #[error("{caller} is not among the services that may call {callee}")]
    UndeclaredCaller {
        /// Who calls.
        caller: String,
        /// Whom.
        callee: String,
    },
    /// A service whose address is not known here.
    #[error("it is not known where the service `{0}` is; name its address")]
    Unplaced(String),
    /// Events for a service that does not run here.
    #[error("no service `{0}` consumes events here")]
    NoConsumer(String),
    /// A service that there is not.
    #[error("there is no service `{0}` that keeps records")]
    UnknownService(String),
    /// The handler panicked.
    #[error("internal error")]
    Panicked,
    /// What the answer rests on was read before it was kept, and then was not.
    #[error("the database could not keep what was written; try again")]
    NotKept,
    /// The process stops.
    #[error("this process is stopping; call again")]
    Draining,
    /// No message, or several, where there must be one.
    #[error("the RPC takes one message, and the request has none or several")]
    NotOneMessage,
    /// More than a message may be.
    #[error("the message is larger than {0} bytes")]
    TooLarge(usize),
}

impl Failure for Refusal {
    const DOMAIN: &'static str = DOMAIN;

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::Unknown(_) => (Code::Unimplemented, "UNKNOWN_METHOD"),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            Self::MalformedTimeout(_) => (Code::InvalidArgument, "MALFORMED_TIMEOUT"),
            Self::Unauthenticated => (Code::Unauthenticated, "UNAUTHENTICATED"),
            Self::InvalidToken(_) => (Code::Unauthenticated, "INVALID_TOKEN"),
            Self::NoKeys => (Code::Unavailable, "NO_KEYS"),
            Self::PermissionDenied(_) => (Code::PermissionDenied, "PERMISSION_DENIED"),
            Self::Internal => (Code::PermissionDenied, "SERVICES_ONLY"),
            Self::RateLimited(_) => (Code::ResourceExhausted, "RATE_LIMITED"),
            Self::Overloaded(_) => (Code::ResourceExhausted, "OVERLOADED"),
            Self::IdempotencyKeyRequired => (Code::InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED"),
            Self::MalformedIdempotencyKey => (Code::InvalidArgument, "MALFORMED_IDEMPOTENCY_KEY"),
            Self::TransactionOpen => (Code::Internal, "TRANSACTION_OPEN"),
            Self::Unavailable(_) => (Code::Unavailable, "UNAVAILABLE"),
            Self::Crowded(_) => (Code::Unavailable, "TOO_MANY_CALLS"),
            Self::Unrepeatable => (Code::Internal, "UNREPEATABLE"),
            Self::PeerBroken(_) => (Code::Internal, "STREAM_RESET"),
            Self::PeerCancelled(_) => (Code::Cancelled, "STREAM_CANCELLED"),
            Self::PeerOverrun(_) => (Code::ResourceExhausted, "ENHANCE_YOUR_CALM"),
            Self::PeerInsecure(_) => (Code::PermissionDenied, "INADEQUATE_SECURITY"),
            Self::UndeclaredCaller { .. } => (Code::PermissionDenied, "UNDECLARED_CALLER"),
            Self::Unplaced(_) => (Code::Unavailable, "UNKNOWN_ADDRESS"),
            Self::NoConsumer(_) => (Code::Unavailable, "NO_CONSUMER"),
            Self::UnknownService(_) => (Code::NotFound, "UNKNOWN_SERVICE"),
            Self::Panicked => (Code::Internal, "PANIC"),
            Self::NotKept => (Code::Unavailable, "DATABASE_UNAVAILABLE"),
            Self::Draining => (Code::Unavailable, "DRAINING"),
            // By gRPC's own table of codes.
            Self::NotOneMessage => (Code::Unimplemented, "NOT_ONE_MESSAGE"),
            Self::TooLarge(_) => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
        }
    }

    fn detail(&self) -> Detail {
        match self {
            Self::PermissionDenied(permission) => Detail {
                metadata: vec![("permission".into(), permission.clone())],
                ..Detail::default()
            },
            Self::UnknownService(_) => {
                Detail { fields: vec![("service".into(), self.to_string())], ..Detail::default() }
            }
            Self::RateLimited(after) | Self::Overloaded(after) => {
                Detail { retry_after: Some(*after), ..Detail::default() }
            }
            _ => Detail::default(),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        // Clients that retry by themselves (gRFC A6) read this and no details.
        let pushback = match &refusal {
            Refusal::Overloaded(after) => u64::try_from(after.as_millis()).ok(),
            _ => None,
        };
        let mut status = status(refusal);
        if let Some(after) = pushback {
            status.metadata_mut().insert(PUSHBACK, after.into());
        }
        status
    }
}
