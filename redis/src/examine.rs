//! What a Redis server is, for who must know before it is relied on.

use std::collections::HashMap;

use crate::connection::{Redis, Repeat};
use crate::error::Error;

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// Such as `7.2.4`.
    pub version: String,
    /// How many bytes it may hold; 0 for as many as there are.
    pub maxmemory: u64,
    /// What it lets go when they are used up, such as `noeviction`.
    pub policy: String,
    /// Its clock, in microseconds since 1970.
    pub now_micros: i64,
}

impl Redis {
    /// Asks a server what it is.
    pub async fn examine(&self) -> Result<Examined, Error> {
        let info: String = self.ask(&redis::cmd("INFO"), Repeat::Once).await?;
        let said = read(&info);
        let of = |name: &str| said.get(name).copied().unwrap_or_default();
        let (seconds, micros): (i64, i64) = self.ask(&redis::cmd("TIME"), Repeat::Once).await?;
        Ok(Examined {
            version: of("redis_version").to_owned(),
            maxmemory: of("maxmemory").parse().unwrap_or_default(),
            policy: of("maxmemory_policy").to_owned(),
            now_micros: seconds.saturating_mul(1_000_000).saturating_add(micros),
        })
    }
}

/// Lines such as `maxmemory:0`, among titles and empty ones.
fn read(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_read_by_its_names() {
        let said = read("# Memory\r\nmaxmemory:12\r\n\r\nmaxmemory_policy:volatile-lru\r\n");

        assert_eq!((said["maxmemory"], said["maxmemory_policy"]), ("12", "volatile-lru"));
    }
}
