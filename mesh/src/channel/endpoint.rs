//! One place where a service answers, as one channel knows it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Code;

use super::breaker::{Breaker, Leave, Verdict};
use super::connection::{Address, Connection};
use super::load::{LONGEST_PENALTY, Load, PENALTY};
use crate::channelz::{self, Channel as Listed};

/// How many connections an endpoint has at most, when one has no room for more calls (gRFC A105).
pub(super) const MOST_CONNECTIONS: usize = 4;

/// Whether an endpoint can be called: gRPC's states of a subchannel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It is being connected to for the first time, or again after it was ready.
    Connecting,
    /// It takes calls.
    Ready,
    /// It says that it does not serve, such as before it stops. It is called only where nobody else can be:
    /// it may still answer, and nobody else would.
    Resting,
    /// It could not be connected to, or nothing is known of its health. It stays so until it is ready.
    Failing(Arc<str>),
}

/// An endpoint with all that is known of it.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    pub(super) load: Load,
    pub(super) breaker: Breaker,
    /// Counted since the last comparison of endpoints.
    pub(super) successes: AtomicU32,
    pub(super) failures: AtomicU32,
    /// It fails more than the others.
    pub(super) is_ejected: AtomicBool,
    connections: ArcSwap<Vec<Arc<Connection>>>,
    state: Mutex<State>,
    /// Where operators see it.
    pub(super) listed: Option<Listed>,
    /// Every connection is full.
    pub(super) is_full: Notify,
    /// It has failed for long enough that its health is to be asked for.
    pub(super) is_doubted: Notify,
    begun: Instant,
}

impl Endpoint {
    pub(super) fn new(address: Address, listed: Option<Listed>, begun: Instant) -> Self {
        Self {
            address,
            load: Load::new(None, since(begun, Instant::now())),
            breaker: Breaker::default(),
            successes: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            is_ejected: AtomicBool::new(false),
            connections: ArcSwap::default(),
            state: Mutex::new(State::Connecting),
            listed,
            is_full: Notify::new(),
            is_doubted: Notify::new(),
            begun,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether that is news.
    pub(super) fn set_state(&self, state: State) -> bool {
        if let Some(listed) = &self.listed {
            listed.is(match state {
                State::Ready => channelz::State::Ready,
                State::Connecting => channelz::State::Connecting,
                State::Resting | State::Failing(_) => channelz::State::TransientFailure,
            });
        }
        let mut own = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *own != state;
        *own = state;
        news
    }

    pub(super) fn set_connections(&self, connections: Vec<Arc<Connection>>) {
        self.connections.store(Arc::new(connections));
    }

    /// Whether it answers when its health is asked for.
    pub(super) fn heard(&self, answers: bool) {
        self.breaker.heard(answers, since(self.begun, Instant::now()));
    }

    /// The first open connection with room: the fewer carry the calls, the more of them leave in one write. When
    /// the last one fills, another one is asked for; when all are full, calls wait in the one with the fewest.
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        let connections = self.connections.load();
        let open = || connections.iter().filter(|connection| !connection.is_closed());
        let is_last =
            |chosen: &Arc<Connection>| open().next_back().is_some_and(|it| Arc::ptr_eq(it, chosen));
        let first = open().find(|connection| connection.room() > 1);
        let chosen = first.or_else(|| open().max_by_key(|connection| connection.room()))?;
        if chosen.room() <= 2 && is_last(chosen) && connections.len() < MOST_CONNECTIONS {
            self.is_full.notify_one();
        }
        Some(Arc::clone(chosen))
    }

    /// Begins a call here, unless the endpoint is to be left alone.
    pub(super) fn begin(self: &Arc<Self>, now: Instant, is_only_one: bool) -> Option<Turn> {
        let connection = self.connection()?;
        let now_ms = since(self.begun, now);
        let leave = self.breaker.ask(now_ms);
        if leave == Leave::Doubted {
            self.is_doubted.notify_one();
        }
        let leave = match leave {
            // Whoever is left alone needs another one to take its calls.
            Leave::Doubted | Leave::Refused if is_only_one => Leave::Granted,
            Leave::Doubted | Leave::Refused => return None,
            leave => leave,
        };
        self.load.begin(now_ms);
        connection.begin();
        if let Some(listed) = &self.listed {
            listed.calls().start();
        }
        Some(Turn {
            endpoint: Arc::clone(self),
            connection,
            leave,
            begun: now,
            deadline: None,
            answered: None,
            ended: false,
        })
    }
}

/// Milliseconds, as loads and breakers count them.
pub(super) fn since(begun: Instant, now: Instant) -> u32 {
    let passed = now.saturating_duration_since(begun);
    u32::try_from(passed.as_millis() & u128::from(u32::MAX)).unwrap_or(0)
}

/// A call at an endpoint, from its start to the end of its answer.
#[derive(Debug)]
pub(super) struct Turn {
    endpoint: Arc<Endpoint>,
    pub(super) connection: Arc<Connection>,
    leave: Leave,
    begun: Instant,
    deadline: Option<Instant>,
    /// How long a stream took to begin.
    answered: Option<Duration>,
    ended: bool,
}

impl Turn {
    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The same turn of a call with a deadline.
    pub(super) fn until(self, deadline: Option<Instant>) -> Self {
        // Turns end when they are dropped, and cannot be taken apart.
        let mut turn = self;
        turn.deadline = deadline;
        turn
    }

    /// The first of an answer that may be long has come.
    pub(super) fn has_begun_to_answer(&mut self) {
        let now = Instant::now();
        self.answered = Some(now - self.begun);
        self.endpoint.load.answered(since(self.endpoint.begun, now));
    }

    /// The call has come to this; a server that is overloaded may say for how long it wants no more.
    pub(super) fn end(&mut self, code: Code, pushback: Option<Duration>, now: Instant) {
        self.close(verdict(code), pushback, now);
    }

    /// Nothing of the call has left, so that nothing is known of the endpoint.
    pub(super) fn never_left(mut self) {
        self.close(Verdict::Unknown, None, Instant::now());
    }

    fn close(&mut self, verdict: Verdict, pushback: Option<Duration>, now: Instant) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let Endpoint { load, breaker, successes, failures, begun, .. } = &*self.endpoint;
        let now_ms = since(*begun, now);
        match verdict {
            Verdict::Good => {
                successes.fetch_add(1, Ordering::Relaxed);
                load.heard(self.answered.unwrap_or_else(|| now - self.begun), now_ms);
            }
            Verdict::Bad => {
                failures.fetch_add(1, Ordering::Relaxed);
                load.heard(pushback.unwrap_or(PENALTY).clamp(PENALTY, LONGEST_PENALTY), now_ms);
            }
            Verdict::Unknown => {}
        }
        match (self.answered, verdict) {
            // That was told as the answer began.
            (Some(_), _) => {}
            (None, Verdict::Good | Verdict::Bad) => load.answered(now_ms),
            (None, Verdict::Unknown) => load.given_up(),
        }
        breaker.report(self.leave, verdict, now_ms);
        load.end();
        self.connection.end(verdict == Verdict::Good);
        if let Some(listed) = &self.endpoint.listed {
            listed.calls().end(verdict == Verdict::Good);
        }
    }
}

impl Drop for Turn {
    /// Its caller went away, or had no more time.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let now = Instant::now();
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        // A stream that has begun may be left at any time.
        let verdict = match (is_late, self.answered) {
            (true, None) => Verdict::Bad,
            (false, _) | (true, Some(_)) => Verdict::Unknown,
        };
        self.close(verdict, None, now);
    }
}

/// Whether a code says something of whoever answered it. Any other is an answer, however unwelcome.
fn verdict(code: Code) -> Verdict {
    match code {
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Internal
        | Code::Unknown
        | Code::DataLoss => Verdict::Bad,
        Code::Cancelled => Verdict::Unknown,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Verdict::Good,
    }
}
