//! What is counted of calls and of sockets.

use std::sync::atomic::{AtomicI64, Ordering};

use prost_types::Timestamp;

use crate::clock::{Clock, timestamp};

/// A moment that moves on; zero is none yet.
#[derive(Debug, Default)]
struct Last(AtomicI64);

impl Last {
    fn is_now(&self, clock: &Clock) {
        self.0.store(clock.now_micros(), Ordering::Relaxed);
    }

    fn at(&self) -> Option<Timestamp> {
        let micros = self.0.load(Ordering::Relaxed);
        (micros != 0).then(|| timestamp(micros))
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
struct Count(AtomicI64);

impl Count {
    fn more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The calls of a channel, a subchannel or a server.
#[derive(Debug)]
pub struct Calls {
    clock: Clock,
    started: Count,
    succeeded: Count,
    failed: Count,
    last: Last,
}

impl Calls {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            started: Count::default(),
            succeeded: Count::default(),
            failed: Count::default(),
            last: Last::default(),
        }
    }

    /// Counts one that begins.
    pub fn start(&self) {
        self.started.more();
        self.last.is_now(&self.clock);
    }

    /// Counts one that has ended, with `OK` or not.
    pub fn end(&self, succeeded: bool) {
        if succeeded { self.succeeded.more() } else { self.failed.more() }
    }

    /// How many were started, succeeded and failed, and when the last was started.
    #[must_use]
    pub fn read(&self) -> (i64, i64, i64, Option<Timestamp>) {
        (self.started.now(), self.succeeded.now(), self.failed.now(), self.last.at())
    }
}

/// What passes through a socket.
#[derive(Debug)]
pub struct Traffic {
    clock: Clock,
    started: Count,
    succeeded: Count,
    failed: Count,
    sent: Count,
    received: Count,
    keep_alives: Count,
    last_local: Last,
    last_remote: Last,
    last_sent: Last,
    last_received: Last,
}

impl Traffic {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            started: Count::default(),
            succeeded: Count::default(),
            failed: Count::default(),
            sent: Count::default(),
            received: Count::default(),
            keep_alives: Count::default(),
            last_local: Last::default(),
            last_remote: Last::default(),
            last_sent: Last::default(),
            last_received: Last::default(),
        }
    }

    /// Counts a stream that this side opens: a client's.
    pub fn open(&self) {
        self.started.more();
        self.last_local.is_now(&self.clock);
    }

    /// Counts a stream that the other side opens: a server's.
    pub fn accept(&self) {
        self.started.more();
        self.last_remote.is_now(&self.clock);
    }

    /// Counts a stream that has ended: with its last frame, or cut off.
    pub fn close(&self, whole: bool) {
        if whole { self.succeeded.more() } else { self.failed.more() }
    }

    /// Counts a message that goes out.
    pub fn send(&self) {
        self.sent.more();
        self.last_sent.is_now(&self.clock);
    }

    /// Counts a message that comes in.
    pub fn receive(&self) {
        self.received.more();
        self.last_received.is_now(&self.clock);
    }

    /// Counts a question whether the other side lives.
    pub fn keep_alive(&self) {
        self.keep_alives.more();
    }

    pub(super) fn read(&self) -> contract::grpc::channelz::v1::SocketData {
        contract::grpc::channelz::v1::SocketData {
            streams_started: self.started.now(),
            streams_succeeded: self.succeeded.now(),
            streams_failed: self.failed.now(),
            messages_sent: self.sent.now(),
            messages_received: self.received.now(),
            keep_alives_sent: self.keep_alives.now(),
            last_local_stream_created_timestamp: self.last_local.at(),
            last_remote_stream_created_timestamp: self.last_remote.at(),
            last_message_sent_timestamp: self.last_sent.at(),
            last_message_received_timestamp: self.last_received.at(),
        }
    }
}
