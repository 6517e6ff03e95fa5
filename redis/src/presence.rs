//! Which processes of a mesh live: each says so again and again, and is forgotten soon after it has stopped.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use mesh::replicas::{Process, SharedPresence};
use redis::Script;

use crate::answers::millis;
use crate::connection::{Redis, Repeat, key, script};

static ANNOUNCE: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/announce.lua")));
static ALIVE: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/alive.lua")));

#[async_trait]
impl SharedPresence for Redis {
    async fn announce(&self, process: &Process, lasts: Duration) -> bool {
        let mut announce = ANNOUNCE.key(processes());
        announce.arg(written(process)).arg(millis(lasts));
        self.run::<i64>(&announce, Repeat::Once).await.is_ok()
    }

    async fn leave(&self, process: &Process) {
        let mut leave = redis::cmd("ZREM");
        leave.arg(processes()).arg(written(process));
        // Who does not say so is forgotten by itself.
        let _ = self.ask::<i64>(&leave, Repeat::Once).await;
    }

    async fn alive(&self) -> Option<Vec<Process>> {
        let alive: Vec<String> = self.run(&ALIVE.key(processes()), Repeat::Once).await.ok()?;
        Some(alive.iter().filter_map(|line| read(line)).collect())
    }
}

fn processes() -> String {
    key(&["processes"])
}

/// A process as a line of four words.
fn written(process: &Process) -> String {
    let Process { id, services, place, since } = process;
    format!("{id} {} {place} {since}", services.join(","))
}

/// What a line says; nothing when it is another release's, and says something else.
fn read(line: &str) -> Option<Process> {
    let words: Vec<_> = line.split(' ').collect();
    let [id, services, place, since] = words[..] else { return None };
    Some(Process {
        id: id.to_owned(),
        services: services.split(',').map(str::to_owned).collect(),
        place: place.to_owned(),
        since: since.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_as_it_was_written_and_a_stranger_is_passed_over() {
        let process = Process {
            id: "ab12".into(),
            services: vec!["orders".into(), "payments".into()],
            place: "10.0.0.7:7000".into(),
            since: 1_767_225_600_000_000,
        };

        assert_eq!(read(&written(&process)), Some(process));
        assert_eq!(read("ab12 orders 10.0.0.7:7000"), None);
        assert_eq!(read("ab12 orders 10.0.0.7:7000 today"), None);
    }
}
