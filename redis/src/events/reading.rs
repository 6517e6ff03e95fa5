//! Entries read from streams, on a connection that waits for them.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, RedisError};

use super::lane::{Entry, GROUP, Lane, OWNER};
use crate::connection::Redis;
use crate::error::Error;

/// How long new entries are waited for at a time.
pub(super) const WAIT: Duration = Duration::from_millis(500);
/// How many entries of a stream are read at a time.
const BATCH: usize = 16;

/// Reads for all lanes of a replica.
pub(super) struct Reader {
    connection: MultiplexedConnection,
}

impl Reader {
    pub(super) async fn open(redis: &Redis) -> Result<Self, Error> {
        Ok(Self { connection: redis.patient(WAIT).await? })
    }

    /// What was given to somebody and is not settled: to another holder, to a connection that is lost, or to whoever
    /// held the lease before and was still waiting for new entries.
    pub(super) async fn left(&mut self, lane: &Lane) -> Result<(), RedisError> {
        let mut after = "0".to_owned();
        loop {
            let read: StreamReadReply =
                self.connection.xread_options(&[&lane.stream], &[&after], &options()).await?;
            let entries: Vec<_> = read.keys.into_iter().flat_map(|stream| stream.ids).collect();
            for entry in &entries {
                lane.push(understood(entry));
            }
            match entries.last() {
                Some(last) if entries.len() == BATCH => after.clone_from(&last.id),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// What is new, in any of these lanes; waits a moment for it.
    pub(super) async fn next<'a>(
        &mut self,
        lanes: impl Iterator<Item = &'a Lane>,
    ) -> Result<(), RedisError> {
        let lanes: Vec<_> = lanes.collect();
        let streams: Vec<_> = lanes.iter().map(|lane| lane.stream.clone()).collect();
        let wait = usize::try_from(WAIT.as_millis()).unwrap_or_default();
        let (after, options) = (vec![">"; streams.len()], options().block(wait));
        let read: Option<StreamReadReply> =
            self.connection.xread_options(&streams, &after, &options).await?;
        for stream in read.into_iter().flat_map(|read| read.keys) {
            let Some(lane) = lanes.iter().find(|lane| lane.stream == stream.key) else {
                continue;
            };
            for entry in &stream.ids {
                lane.push(understood(entry));
            }
        }
        Ok(())
    }
}

fn options() -> StreamReadOptions {
    StreamReadOptions::default().group(GROUP, OWNER).count(BATCH)
}

/// An entry; one that lacks something is settled as nobody's.
fn understood(entry: &StreamId) -> Entry {
    Entry {
        id: entry.id.clone(),
        reply: entry.get("reply").unwrap_or_default(),
        number: entry.get("number").unwrap_or_default(),
        trace: entry.get("trace").unwrap_or_default(),
        data: entry.get("data").unwrap_or_default(),
    }
}
