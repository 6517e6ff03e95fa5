//! What a session is and may become.

use std::time::Duration;

use mesh::clock;
use tradewind::users::v1::Session;

use crate::config::Lifetimes;

/// Whose session begins.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    /// An account.
    User {
        /// Its id.
        id: String,
        /// Its roles.
        roles: Vec<String>,
    },
    /// A customer without one.
    Guest {
        /// Made for this session alone.
        id: String,
    },
}

impl Holder {
    /// Whose tokens say that they are.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::User { id, .. } | Self::Guest { id } => id,
        }
    }
}

/// A session that begins now.
pub(crate) fn begun(holder: &Holder, address: &str, now: i64, lifetimes: &Lifetimes) -> Session {
    Session {
        user_id: holder.subject().into(),
        guest: matches!(holder, Holder::Guest { .. }),
        address: address.into(),
        expire_time: Some(clock::timestamp(expiry(now, now, lifetimes))),
        ..Session::default()
    }
}

/// Whether it can be gone on with.
pub(crate) fn is_good(session: &Session, now: i64) -> bool {
    session.end_time.is_none() && session.expire_time.as_ref().map(clock::micros) > Some(now)
}

/// The session after a refresh: it may be idle for as long again, but never outlives its whole time.
pub(crate) fn refreshed(session: Session, now: i64, lifetimes: &Lifetimes) -> Session {
    let began = session.create_time.as_ref().map_or(now, clock::micros);
    let expire_time = Some(clock::timestamp(expiry(began, now, lifetimes)));
    Session { expire_time, ..session }
}

/// The session ended; one that has ended stays as it is.
pub(crate) fn ended(session: Session, now: i64) -> Session {
    let end_time = session.end_time.or_else(|| Some(clock::timestamp(now)));
    Session { end_time, ..session }
}

fn expiry(began: i64, now: i64, lifetimes: &Lifetimes) -> i64 {
    let idle = now.saturating_add(micros(lifetimes.session_idle));
    idle.min(began.saturating_add(micros(lifetimes.session)))
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1_000_000;

    fn session() -> Session {
        let holder = Holder::Guest { id: "gst_1".into() };
        Session {
            create_time: Some(clock::timestamp(0)),
            ..begun(&holder, "192.0.2.1", 0, &Lifetimes::default())
        }
    }

    #[test]
    fn a_session_that_is_not_refreshed_expires_after_its_idle_time() {
        assert!(is_good(&session(), 30 * DAY - 1));
        assert!(!is_good(&session(), 30 * DAY));
    }

    #[test]
    fn a_session_expires_after_its_whole_time_however_often_it_is_refreshed() {
        let mut session = session();
        for day in (20..=80).step_by(20) {
            assert!(is_good(&session, day * DAY));
            session = refreshed(session, day * DAY, &Lifetimes::default());
        }

        assert!(is_good(&session, 90 * DAY - 1));
        assert!(!is_good(&session, 90 * DAY));
    }

    #[test]
    fn an_ended_session_is_not_good_and_ends_once() {
        let session = ended(ended(session(), DAY), 2 * DAY);

        assert!(!is_good(&session, DAY));
        assert_eq!(session.end_time, Some(clock::timestamp(DAY)));
    }
}
