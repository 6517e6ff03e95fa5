//! Whether the data directory has room, and how long it takes to be sure that something is written.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::finding::{Finding, Verdict};

const CHECK: &str = "disk";
const MIB: u64 = 1 << 20;
/// How often a file is written to tell how long that takes.
const ROUNDS: usize = 7;

/// Looks at the disk of a directory, or of what it will be made in.
pub(super) fn look(data: &Path) -> Vec<Finding> {
    let shown = data.display();
    let advice = format!(
        "make {shown} a directory that this user can write to, on a local disk, or name another with --data"
    );
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let Some(there) = absolute.ancestors().find(|path| path.exists()) else {
        return vec![Finding::fail(CHECK, format!("{shown} cannot be made"), advice)];
    };
    let refused = |error: anyhow::Error| Finding::fail(CHECK, format!("{error:#}"), advice.clone());
    vec![
        free(there).map_or_else(refused, |(free, of)| room(&shown.to_string(), free, of)),
        synced(there).map_or_else(refused, speed),
    ]
}

/// Looks at whether another directory has room and can be written to.
pub(super) fn look_for_room(directory: &Path) -> Finding {
    let shown = directory.display();
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let there = absolute.ancestors().find(|path| path.exists()).unwrap_or(&absolute);
    let looked = synced(there).and_then(|_| free(there));
    match looked {
        Ok((free, of)) => room(&shown.to_string(), free, of),
        Err(error) => Finding::fail(
            CHECK,
            format!("{error:#}"),
            format!("make {shown} a directory that this user can write to"),
        ),
    }
}

/// How many bytes are free, and of how many.
fn free(there: &Path) -> Result<(u64, u64)> {
    let disk = rustix::fs::statvfs(there)
        .with_context(|| format!("the disk of {} cannot be looked at", there.display()))?;
    Ok((disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)))
}

/// How long it takes to be sure of a page of a database: the median of a few.
fn synced(there: &Path) -> Result<Duration> {
    let unwritable = || format!("{} cannot be written to", there.display());
    let mut file = tempfile::NamedTempFile::new_in(there).with_context(unwritable)?;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let since = Instant::now();
        file.write_all(&[0; 4096]).with_context(unwritable)?;
        file.as_file().sync_data().with_context(unwritable)?;
        took.push(since.elapsed());
    }
    took.sort_unstable();
    Ok(took[ROUNDS / 2])
}

fn room(shown: &str, free: u64, of: u64) -> Finding {
    let found = format!("{} MiB of {} are free for {shown}", free / MIB, of / MIB);
    let advice = "make room or a larger disk: a database that cannot write stops every order";
    let is_short = free < 1024 * MIB || free < of / 10;
    Finding::of(CHECK, Verdict::when(free < 100 * MIB, is_short), found, advice)
}

fn speed(took: Duration) -> Finding {
    let found = format!("a write is sure after {took:.1?}");
    let advice = "an order waits for several of these with SQLite: use a local SSD, never a network file system";
    let longer = |millis| took > Duration::from_millis(millis);
    Finding::of(CHECK, Verdict::when(longer(200), longer(20)), found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_or_slow_is_told() {
        assert_eq!(room("data", 50_000 * MIB, 100_000 * MIB).verdict, Verdict::Pass);
        assert_eq!(room("data", 5000 * MIB, 100_000 * MIB).verdict, Verdict::Warn);
        assert_eq!(room("data", 500 * MIB, 1000 * MIB).verdict, Verdict::Warn);
        assert_eq!(room("data", 50 * MIB, 100 * MIB).verdict, Verdict::Fail);
        assert_eq!(speed(Duration::from_millis(2)).verdict, Verdict::Pass);
        assert_eq!(speed(Duration::from_millis(50)).verdict, Verdict::Warn);
        assert_eq!(speed(Duration::from_millis(500)).verdict, Verdict::Fail);
    }
}
