//! Everything that is registered, by its number.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use contract::grpc::channelz::v1 as pb;
use contract::grpc::channelz::v1::channel_trace_event::ChildRef;

use super::tally::{Calls, Traffic};
use super::trace::{Severity, Trace};
use crate::clock::Clock;

/// What there is in one process. Clones are the same.
#[derive(Debug, Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    last: AtomicI64,
    records: RwLock<BTreeMap<i64, Record>>,
}

/// One thing that is registered.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// What it belongs to.
    pub(super) parent: Option<i64>,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Channel(Arc<Node>),
    Subchannel(Arc<Node>),
    Server(Arc<Node>),
    /// Where a server listens.
    Listener(Arc<Ends>),
    Socket(Arc<Ends>),
}

/// What is known of a channel or a server.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    state: AtomicU8,
    pub(super) calls: Calls,
    pub(super) trace: Trace,
}

/// What is known of a socket.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) traffic: Arc<Traffic>,
}

/// How a channel is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has called, and nothing is connected.
    Idle,
    /// A connection is being made.
    Connecting,
    /// Calls can be sent.
    Ready,
    /// No connection can be made for now.
    TransientFailure,
    /// It is being closed.
    Shutdown,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Idle, Self::Connecting, Self::Ready, Self::TransientFailure, Self::Shutdown];

    /// As contracts have it: from one, since zero is not said.
    pub(super) fn number(self) -> i32 {
        self as i32 + 1
    }
}

impl Node {
    fn new(name: String, clock: &Clock) -> Arc<Self> {
        Arc::new(Self {
            name,
            state: AtomicU8::new(State::Idle as u8),
            calls: Calls::new(clock.clone()),
            trace: Trace::new(clock.clone()),
        })
    }

    pub(super) fn state(&self) -> State {
        let number = usize::from(self.state.load(Ordering::Relaxed));
        State::ALL.get(number).copied().unwrap_or(State::Idle)
    }
}

impl Registry {
    /// A process with nothing in it yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let shared = Shared { clock, last: AtomicI64::new(0), records: RwLock::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Lists a channel that the process has made, by the target that it was told.
    #[must_use]
    pub fn channel(&self, target: impl Into<String>) -> Channel {
        let node = Node::new(target.into(), &self.shared.clock);
        let entry = self.list(None, What::Channel(Arc::clone(&node)));
        Channel { node, entry }
    }

    /// Lists a server, by a name of ours.
    #[must_use]
    pub fn server(&self, name: impl Into<String>) -> Server {
        let node = Node::new(name.into(), &self.shared.clock);
        let entry = self.list(None, What::Server(Arc::clone(&node)));
        Server { node, entry }
    }

    pub(super) fn get(&self, id: i64) -> Option<Record> {
        self.records().get(&id).cloned()
    }

    /// A page of the records that `pick` picks, from an id on, and whether it is the last.
    pub(super) fn page<T>(
        &self,
        from: i64,
        most: usize,
        pick: impl Fn(i64, &Record) -> Option<T>,
    ) -> (Vec<T>, bool) {
        let records = self.records();
        let mut picked = records.range(from..).filter_map(|(id, record)| pick(*id, record));
        let page = picked.by_ref().take(most).collect();
        (page, picked.next().is_none())
    }

    /// What belongs to a record.
    pub(super) fn children(&self, parent: i64) -> Vec<(i64, Record)> {
        let (children, _) = self.page(parent, usize::MAX, |id, record| {
            (record.parent == Some(parent)).then(|| (id, record.clone()))
        });
        children
    }

    fn records(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<i64, Record>> {
        self.shared.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, parent: Option<i64>, what: What) -> Entry {
        let id = self.shared.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut records = self.shared.records.write().unwrap_or_else(PoisonError::into_inner);
        records.insert(id, Record { parent, what });
        Entry { id, registry: self.clone() }
    }
}

/// A record for as long as it is held.
#[derive(Debug)]
struct Entry {
    id: i64,
    registry: Registry,
}

impl Entry {
    fn socket(
        &self,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
        what: fn(Arc<Ends>) -> What,
    ) -> Socket {
        let traffic = Arc::new(Traffic::new(self.registry.shared.clock.clone()));
        let ends = Arc::new(Ends { local, remote, traffic: Arc::clone(&traffic) });
        let entry = self.registry.list(Some(self.id), what(ends));
        Socket { traffic, _entry: entry }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let shared = &self.registry.shared;
        shared.records.write().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// A channel or a subchannel that is listed until this is dropped.
#[derive(Debug)]
pub struct Channel {
    node: Arc<Node>,
    entry: Entry,
}

impl Channel {
    /// Lists a subchannel of this channel, by the address that it connects to.
    #[must_use]
    pub fn subchannel(&self, address: impl Into<String>) -> Self {
        let registry = &self.entry.registry;
        let node = Node::new(address.into(), &registry.shared.clock);
        let entry = registry.list(Some(self.entry.id), What::Subchannel(Arc::clone(&node)));
        let child = pb::SubchannelRef { subchannel_id: entry.id, name: node.name.clone() };
        let text = format!("subchannel to {} made", node.name);
        self.node.trace.note(Severity::Info, text, Some(ChildRef::SubchannelRef(child)));
        Self { node, entry }
    }

    /// Lists a connection of this subchannel.
    #[must_use]
    pub fn socket(&self, local: Option<SocketAddr>, remote: Option<SocketAddr>) -> Socket {
        self.entry.socket(local, remote, What::Socket)
    }

    /// The calls, to be counted.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.node.calls
    }

    /// Says how it is connected now, and notes it when that is new.
    pub fn is(&self, state: State) {
        if self.node.state.swap(state as u8, Ordering::Relaxed) != state as u8 {
            self.note(Severity::Info, format!("{state:?}"));
        }
    }

    /// Notes an event.
    pub fn note(&self, severity: Severity, text: impl Into<String>) {
        self.node.trace.note(severity, text.into(), None);
    }
}

/// A server that is listed until this is dropped.
#[derive(Debug)]
pub struct Server {
    node: Arc<Node>,
    entry: Entry,
}

impl Server {
    /// Lists where it listens.
    #[must_use]
    pub fn listener(&self, at: Option<SocketAddr>) -> Socket {
        self.entry.socket(at, None, What::Listener)
    }

    /// Lists a connection that it has taken.
    #[must_use]
    pub fn socket(&self, local: Option<SocketAddr>, remote: Option<SocketAddr>) -> Socket {
        self.entry.socket(local, remote, What::Socket)
    }

    /// The calls, to be counted.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.node.calls
    }

    /// Notes an event.
    pub fn note(&self, severity: Severity, text: impl Into<String>) {
        self.node.trace.note(severity, text.into(), None);
    }
}

/// A socket that is listed until this is dropped.
#[derive(Debug)]
pub struct Socket {
    traffic: Arc<Traffic>,
    _entry: Entry,
}

impl Socket {
    /// What passes through it, to be counted.
    #[must_use]
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }
}
