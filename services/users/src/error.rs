//! Why users did not do what they were asked.

use std::time::Duration;

use mesh::signing::MalformedKey;
use mesh::{Code, Detail, Failure, Status};

/// When to try again while every hashing thread has its queue full.
const BUSY: Duration = Duration::from_secs(1);

/// Why a users call did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Another account of the project has the address.
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    /// No such account, or not its password; which of them is not said.
    #[error("the e-mail address or the password is not right")]
    InvalidCredentials,
    /// Too many logins have failed.
    #[error("too many logins have failed; try again in {} s", .0.as_secs_f64().ceil())]
    TooManyFailures(Duration),
    /// Every hashing thread has its queue full.
    #[error("too many people log in at the moment; try again")]
    Busy,
    /// The account may not be used.
    #[error("this account is suspended")]
    Suspended,
    /// The password is right, and good for one thing only.
    #[error("this password is good once: choose one of your own with ChangePassword")]
    PasswordMustChange,
    /// A one-time password that was not used in time.
    #[error("this one-time password has expired; ask for another one")]
    PasswordExpired,
    /// A new password that is the current one.
    #[error("the new password is the current one")]
    PasswordUnchanged,
    /// Unknown, spent, expired, or of a session that has ended.
    #[error("the refresh token is not good, or no longer; log in again")]
    InvalidRefreshToken,
    /// The caller is signed in without an account.
    #[error("the caller has no account")]
    NoAccount,
    /// Someone grants or takes what is above their own role.
    #[error("the role {0} is above your own")]
    RoleAboveOwn(String),
    /// There is no such project.
    #[error("project {0} does not exist")]
    ProjectNotFound(String),
    /// A project with the id is there, and it is not the one that a repeat would make.
    #[error("there is a project {0} already")]
    ProjectExists(String),
    /// The project cannot be as it was given.
    #[error("{field}: {problem}")]
    InvalidProject {
        /// Such as `project.shipping_rate.minor`.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A password could not be hashed.
    #[error("internal error")]
    Hashing(#[source] argon2::password_hash::Error),
    /// The hashing threads have gone.
    #[error("internal error")]
    NoThreads,
    /// A signing key is not one.
    #[error("internal error")]
    SigningKey(#[from] MalformedKey),
    /// No signing key is good now, though one was just made.
    #[error("internal error")]
    NoSigningKey,
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Failure for Error {
    const DOMAIN: &'static str = "users.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::EmailTaken => (Code::AlreadyExists, "EMAIL_TAKEN"),
            Self::InvalidCredentials => (Code::Unauthenticated, "INVALID_CREDENTIALS"),
            Self::TooManyFailures(_) => (Code::ResourceExhausted, "TOO_MANY_FAILURES"),
            Self::Busy => (Code::ResourceExhausted, "LOGINS_BUSY"),
            Self::Suspended => (Code::PermissionDenied, "ACCOUNT_SUSPENDED"),
            Self::PasswordMustChange => (Code::FailedPrecondition, "PASSWORD_MUST_CHANGE"),
            Self::PasswordExpired => (Code::FailedPrecondition, "PASSWORD_EXPIRED"),
            Self::PasswordUnchanged => (Code::InvalidArgument, "PASSWORD_UNCHANGED"),
            Self::InvalidRefreshToken => (Code::Unauthenticated, "INVALID_REFRESH_TOKEN"),
            Self::NoAccount => (Code::NotFound, "NO_ACCOUNT"),
            Self::RoleAboveOwn(_) => (Code::PermissionDenied, "ROLE_ABOVE_OWN"),
            Self::ProjectNotFound(_) => (Code::NotFound, "PROJECT_NOT_FOUND"),
            Self::ProjectExists(_) => (Code::AlreadyExists, "PROJECT_EXISTS"),
            Self::InvalidProject { .. } => (Code::InvalidArgument, "INVALID_PROJECT"),
            Self::Hashing(_) => (Code::Internal, "HASHING"),
            Self::NoThreads => (Code::Internal, "NO_THREADS"),
            Self::SigningKey(_) => (Code::Internal, "SIGNING_KEY"),
            Self::NoSigningKey => (Code::Internal, "NO_SIGNING_KEY"),
            Self::Store(error) => error.verdict(),
        }
    }

    fn detail(&self) -> Detail {
        let metadata = |name: &str, value: &String| Detail {
            metadata: vec![(name.into(), value.clone())],
            ..Detail::default()
        };
        let field = |field: &str, problem: &str| Detail {
            fields: vec![(field.into(), problem.into())],
            ..Detail::default()
        };
        let after = |wait| Detail { retry_after: Some(wait), ..Detail::default() };
        match self {
            Self::EmailTaken => field("email", "an account has this address"),
            Self::InvalidProject { field: at, problem } => field(at, problem),
            Self::TooManyFailures(wait) => after(*wait),
            Self::Busy => after(BUSY),
            Self::RoleAboveOwn(role) => metadata("role", role),
            Self::ProjectNotFound(id) | Self::ProjectExists(id) => metadata("id", id),
            Self::PasswordUnchanged => field("new_password", "it is the current one"),
            Self::Store(error) => error.detail(),
            Self::InvalidCredentials
            | Self::Suspended
            | Self::PasswordMustChange
            | Self::PasswordExpired
            | Self::InvalidRefreshToken
            | Self::NoAccount
            | Self::Hashing(_)
            | Self::NoThreads
            | Self::SigningKey(_)
            | Self::NoSigningKey => Detail::default(),
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
