//! Which partitions a replica acts on: its share, as long as it lives.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use mesh::{CancellationToken, Intake};
use redis::Script;
use tokio::time::{Instant, sleep};

use super::lane::{GROUP, Lane};
use super::partition::{self, PARTITIONS};
use super::reading::{Reader, WAIT};
use crate::connection::{Redis, Repeat, script};
use crate::error::Error;

/// How long a partition rests after its holder has died.
const LEASE: Duration = Duration::from_secs(5);
/// How often leases are renewed, and new replicas are given their share.
const RENEW: Duration = Duration::from_secs(1);
/// How long to rest after Redis has failed.
const REST: Duration = Duration::from_millis(200);

static HOLD: LazyLock<Script> = LazyLock::new(|| script(include_str!("../scripts/hold.lua")));

/// Acts on the events of every consumer of this process, until the token is cancelled; then finishes the entries
/// that it is at, and leaves the others to the replicas that remain.
pub async fn consume(redis: Redis, intake: Intake, stop: CancellationToken) {
    let replica = format!("{:016x}", rand::random::<u64>());
    let mut share = Share { redis, intake, replica, lanes: HashMap::new() };
    let mut reader = None;
    let mut renewed = None;
    while !stop.is_cancelled() {
        if renewed.is_none_or(|at: Instant| at.elapsed() >= RENEW) {
            renewed = Some(Instant::now());
            share.renew().await;
        }
        if share.read(&mut reader).await.is_err() {
            // What the connection was sent is asked for again by the next one.
            reader = None;
            let _ = stop.run_until_cancelled(sleep(REST)).await;
        }
    }
    share.leave().await;
}

struct Share {
    redis: Redis,
    intake: Intake,
    /// What this replica is called; a process that starts anew is another one.
    replica: String,
    lanes: HashMap<(&'static str, usize), Lane>,
}

impl Share {
    /// Says that this replica lives, and takes and gives up what it should.
    async fn renew(&mut self) {
        for consumer in self.intake.consumers() {
            // A lease is shorter here than there, by how long the answer takes.
            let until = Instant::now() + LEASE;
            match self.hold(consumer).await {
                Ok(held) => self.settle(consumer, held, until),
                // Lanes end with their leases, unless one of the next renewals succeeds.
                Err(error) => tracing::debug!(consumer, %error, "leases are not renewed"),
            }
        }
        for lane in self.lanes.values_mut() {
            lane.has_left = true;
        }
        let held = self.lanes.values().filter(|lane| lane.is_open()).count();
        self.redis.metrics().partitions.set(i64::try_from(held).unwrap_or_default());
    }

    async fn hold(&self, consumer: &str) -> Result<Vec<(usize, String, bool)>, Error> {
        let mut hold = HOLD.key(partition::replicas(consumer));
        for at in 0..PARTITIONS {
            hold.key(partition::lease(consumer, at))
                .key(partition::token(consumer, at))
                .key(partition::stream(consumer, at));
        }
        let lasts = u64::try_from(LEASE.as_millis()).unwrap_or_default();
        hold.arg(&self.replica).arg(lasts).arg(GROUP);
        self.redis.run(&hold, Repeat::Once).await
    }

    fn settle(&mut self, consumer: &'static str, held: Vec<(usize, String, bool)>, until: Instant) {
        // What another has by now is left to it.
        self.lanes
            .retain(|place, _| place.0 != consumer || held.iter().any(|(at, ..)| *at == place.1));
        for (at, value, keeps) in held {
            let place = (consumer, at);
            let lane = self.lanes.get(&place).filter(|lane| lane.works_under(&value));
            if let Some(lane) = lane {
                lane.extend(until);
            } else {
                let lane = Lane::open(&self.redis, &self.intake, place, value, until);
                self.lanes.insert(place, lane);
            }
            if !keeps && let Some(lane) = self.lanes.get(&place) {
                lane.finish();
            }
        }
    }

    async fn read(&mut self, reader: &mut Option<Reader>) -> Result<(), Error> {
        if !self.lanes.values().any(Lane::is_open) {
            sleep(WAIT.min(REST)).await;
            return Ok(());
        }
        let opened = match reader.take() {
            Some(opened) => opened,
            None => self.connect().await?,
        };
        let reader = reader.insert(opened);
        for lane in self.lanes.values_mut().filter(|lane| lane.is_open() && lane.has_left) {
            reader.left(lane).await?;
            lane.has_left = false;
        }
        reader.next(self.lanes.values().filter(|lane| lane.is_open())).await?;
        Ok(())
    }

    /// Another connection, by which nothing has been read yet.
    async fn connect(&mut self) -> Result<Reader, Error> {
        let reader = Reader::open(&self.redis).await?;
        for lane in self.lanes.values_mut() {
            lane.has_left = true;
        }
        Ok(reader)
    }

    /// Hands everything over at once.
    async fn leave(mut self) {
        for consumer in self.intake.consumers() {
            let mut leave = redis::cmd("ZREM");
            leave.arg(partition::replicas(consumer)).arg(&self.replica);
            // Who does not say so is forgotten when the leases end.
            let _ = self.redis.ask::<()>(&leave, Repeat::Once).await;
        }
        for lane in self.lanes.values() {
            lane.finish();
        }
        for (_, lane) in self.lanes.drain() {
            lane.ended().await;
        }
        self.redis.metrics().partitions.set(0);
    }
}
