//! Events through Redis Streams, for consumers of which several replicas run.
//!
//! The outbox stays the memory of what has happened: its rows leave it when the consumer has answered, and what
//! Redis holds is only on its way. An entry holds the events of one partition from one batch of the outbox. Since
//! the outbox gives an event only when each earlier one of its key was answered for or is in the same batch
//! before it, any entry may be lost, late, repeated or acted on twice at once, and each key keeps its order:
//! the consumer's inbox skips what it has had. So nothing is lost with Redis, and whenever it is not to be had, a
//! batch goes directly.

mod lane;
pub(crate) mod partition;
mod reading;
mod replies;
mod share;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use contract::mesh::v1::{DeliverRequest, Event};
use mesh::{CancellationToken, Code, Context, Status};
use prost::Message;
use redis::Script;
use tokio::time::{Instant, timeout_at};

use self::replies::{Lost, Replies, Waiting};
pub use self::share::consume;
use crate::connection::{Redis, Repeat, script};
use crate::metrics::Way;

/// How many entries may be on their way in one partition; the outbox holds what is more.
const LONGEST_STREAM: usize = 10_000;
/// How long an answer is waited for where nothing else is said.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

static SEND: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/send.lua")));

/// A bus that takes events through Redis, and directly where it cannot. Clones are one.
#[derive(Clone)]
pub struct Bus {
    redis: Redis,
    direct: Arc<dyn mesh::Bus>,
    replies: Arc<Replies>,
    longest_stream: usize,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("redis", &self.redis).finish_non_exhaustive()
    }
}

/// What became of a batch that was to go through Redis.
enum Sent {
    /// Each entry was answered for.
    Answered(Result<(), Status>),
    /// It must go another way, or has perhaps been acted on; both do no harm twice.
    Astray,
    Full,
}

impl Bus {
    /// A bus through Redis, beside one that needs none.
    #[must_use]
    pub fn new(redis: Redis, direct: Arc<dyn mesh::Bus>) -> Self {
        let replies = Arc::new(Replies::new());
        Self { redis, direct, replies, longest_stream: LONGEST_STREAM }
    }

    /// The same with room for so many entries in each partition.
    #[must_use]
    pub fn at_most(mut self, entries: usize) -> Self {
        self.longest_stream = entries;
        self
    }

    /// Hears what consumers answer, until the token is cancelled; before, and after, events go directly.
    pub async fn listen(self, stop: CancellationToken) {
        let heard = self.replies.hear(&self.redis);
        let _ = stop.run_until_cancelled(heard).await;
    }

    async fn send(&self, context: &Context, consumer: &'static str, events: &[Event]) -> Sent {
        if !self.replies.are_heard() || !self.redis.is_up() {
            return Sent::Astray;
        }
        let trace = context.trace.traceparent().unwrap_or_default();
        let mut send = SEND.prepare_invoke();
        send.arg(self.longest_stream);
        let mut waiting = Vec::new();
        for (partition, events) in divided(events) {
            let waits = self.replies.wait();
            let data = DeliverRequest { consumer: consumer.to_owned(), events }.encode_to_vec();
            send.key(partition::stream(consumer, partition))
                .key(partition::lease(consumer, partition));
            send.arg(self.replies.channel()).arg(waits.number()).arg(&trace).arg(data);
            waiting.push(waits);
        }
        match self.redis.run::<String>(&send, Repeat::Never).await.as_deref() {
            Ok("sent") => all(waiting, context.deadline).await,
            Ok("full") => Sent::Full,
            // Nobody reads there, or nobody knows whether it has arrived.
            Ok(_) | Err(_) => Sent::Astray,
        }
    }
}

#[async_trait]
impl mesh::Bus for Bus {
    fn consumers(&self, event_type: &str) -> Vec<&'static str> {
        self.direct.consumers(event_type)
    }

    async fn deliver(
        &self,
        context: &Context,
        consumer: &'static str,
        events: Vec<Event>,
    ) -> Result<(), Status> {
        match self.send(context, consumer, &events).await {
            Sent::Answered(answer) => {
                self.redis.metrics().batch(Way::Redis);
                answer
            }
            Sent::Astray => {
                self.redis.metrics().batch(Way::Direct);
                self.direct.deliver(context, consumer, events).await
            }
            // Going around a consumer that does not keep up would only load it more: the outbox waits.
            Sent::Full => {
                self.redis.metrics().batch(Way::Refused);
                let most = self.longest_stream;
                Err(Status::unavailable(format!(
                    "{consumer} does not keep up: {most} batches are on their way to it"
                )))
            }
        }
    }
}

/// Events by their partitions, in their order.
fn divided(events: &[Event]) -> Vec<(usize, Vec<Event>)> {
    let mut divided: Vec<Vec<Event>> = vec![Vec::new(); partition::PARTITIONS];
    for event in events {
        divided[partition::of(event)].push(event.clone());
    }
    divided.into_iter().enumerate().filter(|(_, events)| !events.is_empty()).collect()
}

/// Waits for every answer. A refusal says more than that somebody was not reached, so it is what is told.
async fn all(waiting: Vec<Waiting>, deadline: Option<Instant>) -> Sent {
    let until = deadline.unwrap_or_else(|| Instant::now() + ANSWER_WITHIN);
    let mut failure: Option<Status> = None;
    for waits in waiting {
        let answer = match timeout_at(until, waits.answer()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Lost)) => return Sent::Astray,
            Err(_) => Err(Status::deadline_exceeded("the consumer has not answered in time")),
        };
        if let Err(status) = answer
            && failure.as_ref().is_none_or(|known| says_less(known.code()))
        {
            failure = Some(status);
        }
    }
    Sent::Answered(failure.map_or(Ok(()), Err))
}

fn says_less(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}
