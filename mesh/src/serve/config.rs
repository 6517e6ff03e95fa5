//! What a port allows its clients: how long connections live, how much they carry, how they end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::tls::Tls;

/// How a server ends.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// How long new connections are still taken after health says `NOT_SERVING`, for clients to notice.
    /// Those that are open are told to move at some moment of it, each at its own.
    pub lame_duck: Duration,
    /// How long calls may take to end.
    pub longest: Duration,
}

impl Default for Drain {
    /// Kubernetes takes some seconds to tell everyone that a pod ends, and kills it after thirty.
    fn default() -> Self {
        Self { lame_duck: Duration::from_secs(5), longest: Duration::from_secs(20) }
    }
}

impl Drain {
    /// The same end without the wait: for servers that no balancer stands before.
    #[must_use]
    pub fn at_once() -> Self {
        Self { lame_duck: Duration::ZERO, ..Self::default() }
    }
}

/// How long a connection lives (gRFC A9).
#[derive(Debug, Clone, Copy)]
pub struct Age {
    /// After this, give or take a tenth, it is told to take no more calls: clients spread anew.
    pub longest: Duration,
    /// How long its calls may then take to end, before they are cut.
    pub grace: Duration,
    /// After so long without a call, it is closed.
    pub idle: Duration,
}

/// How a dead client is found (gRFC A8).
#[derive(Debug, Clone, Copy)]
pub struct KeepAlive {
    /// How often a client is asked whether it lives.
    pub every: Duration,
    /// How long it may take to answer.
    pub within: Duration,
}

/// How often a client may ask whether the server lives (gRFC A8).
#[derive(Debug, Clone, Copy)]
pub struct Pings {
    /// The least time between two.
    pub least: Duration,
    /// How many may come sooner before the connection is closed with `too_many_pings`.
    pub strikes: u32,
}

/// What a port allows. Messages are limited for all ports alike, 4 MiB either way.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the port is called where servers are listed.
    pub name: &'static str,
    /// What it shows to its clients, and asks of them; without, nothing is encrypted.
    pub tls: Option<Tls>,
    /// How it ends.
    pub drain: Drain,
    /// Cancelled to end the lame duck at once: nobody has to notice any more.
    pub hurry: CancellationToken,
    /// How long connections live.
    pub age: Age,
    /// How dead clients are found.
    pub keep_alive: KeepAlive,
    /// How often clients may ping.
    pub pings: Pings,
    /// Calls at once on one connection.
    pub streams: u32,
    /// The longest list of headers that is read, in bytes.
    pub headers: u32,
    /// How many streams a client may reset before they were looked at; more are an attack.
    pub unseen_resets: usize,
    /// How many streams may be reset for a client's errors before its connection is closed.
    pub faulty_resets: usize,
}

impl Config {
    /// A port for other processes of the mesh: they hedge and give up in time, which are resets.
    #[must_use]
    pub fn mesh() -> Self {
        Self {
            name: "mesh",
            tls: None,
            drain: Drain::default(),
            hurry: CancellationToken::new(),
            age: Age {
                longest: Duration::from_secs(30 * 60),
                grace: Duration::from_secs(60),
                idle: Duration::from_secs(15 * 60),
            },
            keep_alive: KeepAlive {
                every: Duration::from_secs(30),
                within: Duration::from_secs(10),
            },
            pings: Pings { least: Duration::from_secs(10), strikes: 2 },
            streams: 1024,
            headers: 64 << 10,
            unseen_resets: 200,
            faulty_resets: 1024,
        }
    }

    /// A port that anyone may reach. Browsers ping what they keep open about once a minute.
    #[must_use]
    pub fn edge() -> Self {
        Self {
            name: "edge",
            age: Age {
                longest: Duration::from_secs(60 * 60),
                grace: Duration::from_secs(5 * 60),
                // Longer than balancers keep their connections, or they send into closed ones.
                idle: Duration::from_secs(10 * 60),
            },
            pings: Pings { least: Duration::from_secs(20), strikes: 2 },
            streams: 256,
            unseen_resets: 20,
            ..Self::mesh()
        }
    }

    /// The same, with TLS.
    #[must_use]
    pub fn secured(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// The same, with another end.
    #[must_use]
    pub fn ending(self, drain: Drain) -> Self {
        Self { drain, ..self }
    }
}
