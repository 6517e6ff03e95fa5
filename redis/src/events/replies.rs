//! What consumers answer to the entries of one process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use mesh::{Code, Status};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::connection::{Redis, key};

/// How often a channel is asked for again that was lost.
const AGAIN: Duration = Duration::from_millis(250);

type Answer = Result<(), Status>;
type Open = Mutex<HashMap<u64, oneshot::Sender<Answer>>>;

/// The answer will never be heard.
pub(crate) struct Lost;

/// The entries of this process that are not answered yet.
pub(crate) struct Replies {
    channel: String,
    next: AtomicU64,
    open: Arc<Open>,
    heard: AtomicBool,
}

impl Replies {
    pub(crate) fn new() -> Self {
        let channel = key(&["replies", &format!("{:032x}", rand::random::<u128>())]);
        Self {
            channel,
            next: AtomicU64::new(1),
            open: Arc::default(),
            heard: AtomicBool::new(false),
        }
    }

    /// Where answers go.
    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// Whether answers arrive at the moment.
    pub(crate) fn are_heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }

    /// A place for the answer to one entry.
    pub(crate) fn wait(&self) -> Waiting {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, waits) = oneshot::channel();
        lock(&self.open).insert(number, answer);
        Waiting { number, waits, open: Arc::clone(&self.open) }
    }

    /// Hears answers for ever. Whenever the channel is lost, so is every answer that was waited for.
    pub(crate) async fn hear(&self, redis: &Redis) {
        loop {
            if let Ok(told) = redis.subscribed(&[&self.channel]).await {
                self.heard.store(true, Ordering::Release);
                let mut told = told.into_on_message();
                while let Some(message) = told.next().await {
                    self.note(message.get_payload_bytes());
                }
                self.heard.store(false, Ordering::Release);
                lock(&self.open).clear();
            }
            sleep(AGAIN).await;
        }
    }

    fn note(&self, payload: &[u8]) {
        let Some((number, answer)) = read(payload) else { return };
        if let Some(waits) = lock(&self.open).remove(&number) {
            // Whoever waited may have gone.
            let _ = waits.send(answer);
        }
    }
}

/// An entry whose answer is waited for; dropped, it is not any more.
pub(crate) struct Waiting {
    number: u64,
    waits: oneshot::Receiver<Answer>,
    open: Arc<Open>,
}

impl Waiting {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) async fn answer(mut self) -> Result<Answer, Lost> {
        (&mut self.waits).await.map_err(|_| Lost)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.number);
    }
}

fn lock(open: &Open) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer as it travels: the entry's number, the code, and what was said.
pub(crate) fn written(number: u64, answer: &Answer) -> String {
    let (code, message) = match answer {
        Ok(()) => (Code::Ok, ""),
        Err(status) => (status.code(), status.message()),
    };
    format!("{number} {} {message}", i32::from(code))
}

fn read(payload: &[u8]) -> Option<(u64, Answer)> {
    let mut words = std::str::from_utf8(payload).ok()?.splitn(3, ' ');
    let number = words.next()?.parse().ok()?;
    let code = Code::from_i32(words.next()?.parse().ok()?);
    let message = words.next().unwrap_or_default();
    Some((number, if code == Code::Ok { Ok(()) } else { Err(Status::new(code, message)) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_reaches_the_entry_that_it_is_for() {
        let replies = Replies::new();
        let (first, second) = (replies.wait(), replies.wait());
        let refused = Err(Status::invalid_argument("no such order: ord 1"));

        replies.note(written(second.number(), &refused).as_bytes());
        replies.note(written(first.number(), &Ok(())).as_bytes());
        replies.note(b"nonsense");

        assert!(matches!(first.answer().await, Ok(Ok(()))));
        let Ok(Err(status)) = second.answer().await else { panic!("it was refused") };
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "no such order: ord 1")
        );
        assert!(lock(&replies.open).is_empty(), "nobody waits any more");
    }

    #[tokio::test]
    async fn answers_that_cannot_come_any_more_are_lost_at_once() {
        let replies = Replies::new();
        let waits = replies.wait();

        lock(&replies.open).clear();

        assert!(waits.answer().await.is_err());
    }
}
