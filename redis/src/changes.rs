//! Changes told from replica to replica, so that what each has kept ends with them.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::StreamExt;
use mesh::changes::Change;
use mesh::replicas::shown;
use mesh::{CancellationToken, Changes};
use redis::Script;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use crate::answers::{REMEMBERED, millis, standing_for, unheard_of};
use crate::connection::{Redis, Repeat, key, script};

/// How long to rest after Redis has failed.
const REST: Duration = Duration::from_millis(200);

static CHANGE: LazyLock<Script> = LazyLock::new(|| script(include_str!("scripts/change.lua")));

/// Tells other replicas what changes here, and hears what changes there, until the token is cancelled.
///
/// What could not be told is told as soon as Redis answers again; whoever has not heard for a while takes
/// everything that it has kept for changed.
pub async fn share_changes(redis: Redis, changes: Changes, stop: CancellationToken) {
    let Some(told) = changes.listen() else { return };
    let process = unheard_of();
    let share =
        async { tokio::join!(tell(&redis, &process, told), hear(&redis, &process, &changes)) };
    let _ = stop.run_until_cancelled(share).await;
}

fn channel() -> String {
    key(&["changes"])
}

async fn tell(redis: &Redis, process: &str, mut told: UnboundedReceiver<Change>) {
    // As many as there are kinds of resources, however long nobody can be told.
    let mut untold = HashSet::new();
    loop {
        if untold.is_empty() {
            let Some(change) = told.recv().await else { return };
            untold.insert(change);
        }
        while let Ok(change) = told.try_recv() {
            untold.insert(change);
        }
        if say(redis, process, &untold).await {
            untold.clear();
        } else {
            sleep(REST).await;
        }
    }
}

async fn say(redis: &Redis, process: &str, untold: &HashSet<Change>) -> bool {
    let mut change = CHANGE.prepare_invoke();
    change.arg(unheard_of()).arg(millis(REMEMBERED)).arg(channel());
    for Change { resource, project } in untold {
        change.key(standing_for(&shown(resource, project)));
        change.arg(format!("{process} {resource} {project}"));
    }
    redis.run::<i64>(&change, Repeat::Once).await.is_ok()
}

async fn hear(redis: &Redis, process: &str, changes: &Changes) {
    loop {
        if let Ok(told) = redis.subscribed(&[&channel()]).await {
            // Whatever was said before is lost.
            changes.forget();
            let mut told = told.into_on_message();
            while let Some(message) = told.next().await {
                let payload = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
                let mut words = payload.splitn(3, ' ');
                if let (Some(who), Some(resource), Some(project)) =
                    (words.next(), words.next(), words.next())
                    && who != process
                {
                    changes.hear(resource, project);
                }
            }
        }
        sleep(REST).await;
    }
}
