//! Whether there are backups, recent ones, and whether the next one can be made.

use std::path::Path;

use mesh::Clock;

use super::disk;
use super::finding::{Finding, Verdict};
use crate::serve::Arguments;

const CHECK: &str = "backups";

/// Looks at the newest backup, and at what the next one needs, where this process makes them.
pub(super) async fn look(arguments: &Arguments, severe: Verdict, clock: &Clock) -> Vec<Finding> {
    let Some(to) = arguments.backups.to() else {
        return vec![Finding::warn(
            CHECK,
            "this process makes none",
            "give one process of the mesh --backup-to DIR, or run `tradewind backup` by a schedule of your own",
        )];
    };
    let mut findings = vec![newest(arguments, to, severe, clock)];
    findings.push(disk::look_for_room(to));
    findings.extend(programs(arguments).await);
    findings
}

fn newest(arguments: &Arguments, to: &Path, severe: Verdict, clock: &Clock) -> Finding {
    let (schedule, shown) = (&arguments.backups, to.display());
    let advice = format!(
        "`tradewind backup --to {shown}` makes one now; the log and backup_failed_total say why serve has not"
    );
    let Some(age) = schedule.age(clock) else {
        return Finding::of(CHECK, severe, format!("{shown} holds no good backup"), advice);
    };
    let found = format!("the newest good backup in {shown} is {} minutes old", age.as_secs() / 60);
    if age > schedule.every() * 2 {
        return Finding::of(CHECK, severe, found, advice);
    }
    Finding::pass(CHECK, found)
}

/// Whether PostgreSQL's own programs are there, and not older than the server; whether that answers is said elsewhere.
async fn programs(arguments: &Arguments) -> Option<Finding> {
    let storage = &arguments.storage;
    let server = storage.place.open(1).examine().await.ok()??;
    let programs = storage.programs.clone().find();
    let version = i32::try_from(server.version).unwrap_or(i32::MAX);
    let found = match programs.dump_of(version).await {
        Ok(_) => programs.restore().await.map(drop),
        Err(error) => Err(error),
    };
    Some(match found {
        Ok(()) => {
            Finding::pass(CHECK, "pg_dump and pg_restore are there, and can read this server")
        }
        Err(error) => Finding::fail(
            CHECK,
            format!("{error:#}"),
            "without them no backup is made, and none can be brought back",
        ),
    })
}
