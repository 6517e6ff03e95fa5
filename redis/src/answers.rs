//! Answers that all replicas give, until something that they show has changed.
//!
//! For each kind of resource in each project there is a value that no other time has: whoever changes one
//! puts another there. An answer is good as long as it was made with the values that are there.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mesh::replicas::{Found, SharedAnswer, SharedAnswers};
use redis::{FromRedisValue, ParsingError, Script, Value};

use crate::connection::{Redis, Repeat, key, script};

/// How long a value is remembered. One that is forgotten ends the answers that were made with it.
pub(crate) const REMEMBERED: Duration = Duration::from_hours(24);

static LOOK: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/look.lua")));
static KEEP: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/keep.lua")));

/// What the script answers: as much as there is.
struct Looked {
    version: String,
    answer: Option<Vec<u8>>,
    lasts: Option<u64>,
}

impl FromRedisValue for Looked {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut parts = Vec::<Value>::from_redis_value(value)?.into_iter();
        let version = String::from_redis_value(parts.next().unwrap_or(Value::Nil))?;
        let answer = parts.next().map(Vec::from_redis_value).transpose()?;
        let lasts = parts.next().map(u64::from_redis_value).transpose()?;
        Ok(Self { version, answer, lasts })
    }
}

#[async_trait]
impl SharedAnswers for Redis {
    async fn look(&self, question: &str, shows: &[String]) -> Option<Found> {
        let mut look = LOOK.key(answer(question));
        for shown in shows {
            look.key(standing_for(shown));
        }
        look.arg(unheard_of()).arg(millis(REMEMBERED));
        let looked: Looked = self.run(&look, Repeat::Once).await.ok()?;
        let Looked { version, answer, lasts } = looked;
        let answer = answer.zip(lasts).map(|(answer, lasts)| SharedAnswer {
            answer: answer.into(),
            lasts: Duration::from_millis(lasts),
        });
        Some(Found { version, answer })
    }

    async fn keep(&self, question: &str, version: &str, bytes: Bytes, lasts: Duration) {
        let mut keep = KEEP.key(answer(question));
        keep.arg(version).arg(&*bytes).arg(millis(lasts).max(1));
        // What is not kept is made again.
        let _ = self.run::<i64>(&keep, Repeat::Never).await;
    }
}

fn answer(question: &str) -> String {
    key(&["answers", question])
}

/// What stands for a kind of resource in a project.
pub(crate) fn standing_for(shown: &str) -> String {
    key(&["changes", shown])
}

/// A value that was never there.
pub(crate) fn unheard_of() -> String {
    format!("{:032x}", rand::random::<u128>())
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
