//! Why the store did not do what it was asked.

use std::time::Duration;

use contract::Malformed;
use mesh::{Code, Detail, Failure, Replay, Status};
use sqlx::error::ErrorKind;

/// When a call that met another with its idempotency key should come again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why the store did not do what it was asked.
///
/// A service wraps it in its own error and passes on `verdict` and `detail`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call was answered before; it becomes that answer.
    #[error(transparent)]
    Replay(#[from] Replay),
    /// No such row, in this project and for this caller.
    #[error("{noun} {id} does not exist")]
    NotFound {
        /// Such as `ORDER_NOT_FOUND`.
        reason: &'static str,
        /// Such as `order`.
        noun: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// Only what was given up can be discarded.
    #[error(
        "task {0} was not given up, so it cannot be discarded: it is done without anybody's help; \
         list those that were with state DEAD"
    )]
    TaskNotDead(String),
    /// An event waits, or was delivered: nobody needs to discard it.
    #[error(
        "the event at {0} was not given up, so it cannot be discarded: it is delivered without anybody's help; \
         list those that were with state DEAD"
    )]
    EventNotDead(i64),
    /// What is no schedule.
    #[error("`{expression}` in time zone {zone} is no schedule: {problem}")]
    Schedule {
        /// The cron expression.
        expression: String,
        /// The time zone.
        zone: String,
        /// What is wrong with one of them.
        problem: String,
    },
    /// A row with the same unique columns exists.
    #[error("{noun} with the same {} exists already", .columns.join(" and "))]
    AlreadyExists {
        /// Such as `ORDER_ALREADY_EXISTS`.
        reason: &'static str,
        /// Such as `an order`.
        noun: String,
        /// The columns that would repeat.
        columns: Vec<String>,
    },
    /// The row changed since it was read.
    #[error("{noun} {id} has changed since it was read; read it again")]
    StaleEtag {
        /// Such as `order`.
        noun: &'static str,
        /// Its id.
        id: String,
    },
    /// The idempotency key came before, with another message.
    #[error("this idempotency-key was used with another request; use a new key for a new request")]
    KeyReused,
    /// The first call with this idempotency key has not ended.
    #[error("the first call with this idempotency-key has not ended; ask again")]
    KeyInProgress,
    /// A list was asked for in a way that it cannot be given.
    #[error("{field}: {problem}")]
    InvalidList {
        /// The field of the request at fault.
        field: &'static str,
        /// Such as `INVALID_FILTER`.
        reason: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A text holds what PostgreSQL cannot keep.
    #[error("a text must not hold the character U+0000")]
    Nul,
    /// A value is out of the range that its column keeps.
    #[error("a value is out of the range that can be kept")]
    Constraint(#[source] sqlx::Error),
    /// Another transaction was in the way.
    #[error("another change was in the way; try again")]
    Conflict(#[source] sqlx::Error),
    /// A task's lease ended; another has taken it, or will.
    #[error("the lease of task {0} has ended, and another process goes on with it; ask again")]
    LeaseLost(String),
    /// No connection became free before the deadline.
    #[error("the database is busy; try again")]
    Busy,
    /// The database cannot be reached.
    #[error("the database cannot be reached at the moment")]
    Unavailable(#[source] sqlx::Error),
    /// The disk of the database is full.
    #[error(
        "the database has no room left on its disk, so nothing was changed; try again when there is some"
    )]
    Full(#[source] sqlx::Error),
    /// The commit that this one shared with others did not happen.
    #[error("the database could not keep what was written; try again")]
    NotCommitted,
    /// The database URL is not one.
    #[error("the database URL is not one; it looks like postgres://user:password@host:5432/name")]
    DatabaseUrl,
    /// The database orders texts otherwise than byte by byte, or does not keep UTF-8.
    #[error(
        "database {name} has encoding {encoding} and collation {collation}; orders of texts would differ between \
         databases. Make one with: CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' \
         LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    )]
    Collation {
        /// The database.
        name: String,
        /// Its encoding.
        encoding: String,
        /// Its collation.
        collation: String,
    },
    /// The directory of a SQLite database cannot be used.
    #[error("{path} cannot be used to keep data")]
    Directory {
        /// The directory.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A migration could not run.
    #[error("migration {name} of {service} failed")]
    Migration {
        /// The service.
        service: &'static str,
        /// The migration.
        name: &'static str,
        /// Why.
        #[source]
        cause: Box<Error>,
    },
    /// A migration that ran is not what it was.
    #[error("migration {name} of {service} was changed after it ran; add a new one instead")]
    MigrationChanged {
        /// The service.
        service: &'static str,
        /// The migration.
        name: &'static str,
    },
    /// Migrations of this version have not run, and are somebody else's to run.
    #[error(
        "the tables of {service} are older than this version works with: {} has not run; \
         bring them up to date first, with `tradewind migrate`",
        .pending.join(", ")
    )]
    SchemaOlder {
        /// The service.
        service: &'static str,
        /// The migrations.
        pending: Vec<&'static str>,
    },
    /// A newer version has taken away what this one works with.
    #[error(
        "the tables of {service} are newer than this version works with: {name} has taken away what versions need \
         that do not know {needs}; run a version that does, or restore a backup from before"
    )]
    SchemaNewer {
        /// The service.
        service: &'static str,
        /// The migration that took it away.
        name: String,
        /// The migration that a version must know.
        needs: String,
    },
    /// A table is not what its resource asks for.
    #[error("table {table} does not fit {resource}: {}", .problems.join("; "))]
    Table {
        /// The table.
        table: &'static str,
        /// The full name of the resource.
        resource: &'static str,
        /// What does not fit.
        problems: Vec<String>,
    },
    /// A stored row is not what its contract says.
    #[error("internal error")]
    Malformed(#[from] Malformed),
    /// A stored or given value could not be turned into bytes or back.
    #[error("internal error")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement does not bind the project.
    #[error("internal error")]
    Unscoped(#[source] UnscopedStatement),
    /// A statement failed before in this transaction, or it was committed.
    #[error("internal error")]
    Ended,
    /// A call with an idempotency key was committed without an answer.
    #[error("internal error")]
    Unanswered,
    /// The database refused a statement.
    #[error("internal error")]
    Database(#[source] sqlx::Error),
}

impl Error {
    /// What a service is told in a simulation in which its database goes away.
    pub(crate) fn lost() -> Self {
        Self::Unavailable(sqlx::Error::WorkerCrashed)
    }
}

/// A statement that names no `$1` would reach rows of every project.
#[derive(Debug, thiserror::Error)]
#[error("a statement does not bind the project as $1: {0}")]
pub struct UnscopedStatement(pub String);

impl Failure for Error {
    const DOMAIN: &'static str = "store.tradewind";

    fn verdict(&self) -> (Code, &'static str) {
        match self {
            Self::Replay(_) => (Code::Internal, "REPLAY"),
            Self::NotFound { reason, .. } => (Code::NotFound, reason),
            Self::TaskNotDead(_) => (Code::FailedPrecondition, "TASK_NOT_DEAD"),
            Self::EventNotDead(_) => (Code::FailedPrecondition, "EVENT_NOT_DEAD"),
            Self::Schedule { .. } => (Code::InvalidArgument, "INVALID_SCHEDULE"),
            Self::AlreadyExists { reason, .. } => (Code::AlreadyExists, reason),
            Self::StaleEtag { .. } => (Code::Aborted, "STALE_ETAG"),
            Self::KeyReused => (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"),
            Self::KeyInProgress => (Code::Aborted, "IDEMPOTENCY_KEY_IN_PROGRESS"),
            Self::InvalidList { reason, .. } => (Code::InvalidArgument, reason),
            Self::Nul => (Code::InvalidArgument, "NUL_CHARACTER"),
            Self::Constraint(_) => (Code::FailedPrecondition, "CONSTRAINT"),
            Self::Conflict(_) => (Code::Aborted, "CONFLICT"),
            Self::LeaseLost(_) => (Code::Aborted, "LEASE_LOST"),
            Self::Busy => (Code::Unavailable, "DATABASE_BUSY"),
            Self::Unavailable(_) | Self::NotCommitted => {
                (Code::Unavailable, "DATABASE_UNAVAILABLE")
            }
            Self::Full(_) => (Code::Unavailable, "DATABASE_FULL"),
            Self::DatabaseUrl => (Code::Internal, "DATABASE_URL"),
            Self::Collation { .. } => (Code::Internal, "COLLATION"),
            Self::Directory { .. } => (Code::Internal, "DIRECTORY"),
            Self::Migration { .. } => (Code::Internal, "MIGRATION"),
            Self::MigrationChanged { .. } => (Code::Internal, "MIGRATION_CHANGED"),
            Self::SchemaOlder { .. } => (Code::Internal, "SCHEMA_OLDER"),
            Self::SchemaNewer { .. } => (Code::Internal, "SCHEMA_NEWER"),
            Self::Table { .. } => (Code::Internal, "TABLE"),
            Self::Malformed(_) => (Code::DataLoss, "MALFORMED_ROW"),
            Self::Encoding(_) => (Code::Internal, "ENCODING"),
            Self::Unscoped(_) => (Code::Internal, "UNSCOPED"),
            Self::Ended => (Code::Internal, "TRANSACTION_ENDED"),
            Self::Unanswered => (Code::Internal, "UNANSWERED"),
            Self::Database(_) => (Code::Internal, "DATABASE"),
        }
    }

    fn detail(&self) -> Detail {
        match self {
            Self::NotFound { id, .. } | Self::StaleEtag { id, .. } => {
                Detail { metadata: vec![("id".into(), id.clone())], ..Detail::default() }
            }
            Self::AlreadyExists { columns, .. } => Detail {
                metadata: vec![("columns".into(), columns.join(","))],
                ..Detail::default()
            },
            Self::InvalidList { field, problem, .. } => {
                Detail { fields: vec![((*field).into(), problem.clone())], ..Detail::default() }
            }
            Self::KeyInProgress
            | Self::Conflict(_)
            | Self::LeaseLost(_)
            | Self::Busy
            | Self::Unavailable(_)
            | Self::Full(_)
            | Self::NotCommitted => Detail { retry_after: Some(RETRY_AFTER), ..Detail::default() },
            _ => Detail::default(),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Replay(replay) => replay.into(),
            error => mesh::status(error),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_connection_lost(&error) {
            return Self::Unavailable(error);
        }
        let Some(database) = error.as_database_error() else { return Self::Database(error) };
        match (database.kind(), database.code().as_deref()) {
            (
                ErrorKind::CheckViolation
                | ErrorKind::NotNullViolation
                | ErrorKind::ForeignKeyViolation,
                _,
            ) => Self::Constraint(error),
            // PostgreSQL: serialization failure, deadlock, lock not available; SQLite: busy, in its kinds.
            (_, Some("40001" | "40P01" | "55P03" | "5" | "261" | "517")) => Self::Conflict(error),
            // PostgreSQL: disk full; SQLite: full, and no room for what its connections share.
            (_, Some("53100" | "13" | "4874")) => Self::Full(error),
            _ => Self::Database(error),
        }
    }
}

/// Whether the connection that gave the error is of no more use.
pub(crate) fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        // The server shuts down, or ended the session.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| matches!(&*code, "57P01" | "57P02" | "57P03" | "25P03" | "53300")),
        _ => false,
    }
}

/// The columns that would have repeated, when that is what the error says.
pub(crate) fn repeated_columns(error: &Error) -> Option<Vec<String>> {
    let Error::Database(error) = error else { return None };
    let database = error.as_database_error().filter(|error| error.is_unique_violation())?;
    let columns = match database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        // Key (project, handle)=(default, shirt) already exists.
        Some(error) => error
            .detail()
            .and_then(|detail| detail.split_once('('))
            .and_then(|(_, rest)| rest.split_once(")="))
            .map_or("", |(columns, _)| columns),
        // SQLite says `UNIQUE constraint failed: products.project, products.handle`.
        None => database.message().rsplit_once(": ").map_or("", |(_, columns)| columns),
    };
    let columns = columns
        .split(", ")
        .map(|column| column.rsplit('.').next().unwrap_or(column).trim_matches('"').to_owned());
    Some(columns.filter(|column| !column.is_empty() && column != "project").collect())
}
