//! Backups that a process makes by itself.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh::clock::micros;
use mesh::locks::Turn;
use mesh::{CancellationToken, Clock, Lock, Locks, Mesh};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::task::TaskTracker;

use super::make::{Source, make};
use super::manifest::Manifest;
use super::{files, retention};

/// How soon a backup is tried again that failed, where the schedule would not sooner.
const AGAIN: Duration = Duration::from_secs(300);

/// The lock of the one that makes them, how long it outlives its holder, and how often the others look.
const LOCK: &str = "backups";
const LASTS: Duration = Duration::from_secs(6);
const LOOK: Duration = Duration::from_secs(2);

/// What `serve` is told of backups.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Backups")]
pub(crate) struct Schedule {
    /// Where this process keeps backups that it makes by itself. Replicas that share a Redis may all be given it: one of
    /// them makes each backup. Without Redis, give it to one process of a mesh.
    #[arg(long, env = "TRADEWIND_BACKUP_TO", value_name = "DIR")]
    backup_to: Option<PathBuf>,
    /// How often it makes one: `30m`, `6h`, `1d`.
    #[arg(long, env = "TRADEWIND_BACKUP_EVERY", default_value = "6h", value_parser = pause, value_name = "TIME")]
    backup_every: Duration,
    /// How many of the newest are kept.
    #[arg(long, env = "TRADEWIND_KEEP_BACKUPS", default_value = "7", value_name = "COUNT")]
    keep_backups: NonZeroUsize,
}

/// Backups that a process makes by itself.
struct Scheduled {
    to: PathBuf,
    every: Duration,
    keep: NonZeroUsize,
    source: Source,
    clock: Clock,
    counts: Counts,
    locks: Locks,
}

/// Who makes the next one.
enum Whose {
    /// This process: under a lock, where there is one.
    Ours(Option<u64>),
    /// Another replica.
    Anothers,
}

/// What operators see of them.
#[derive(Debug, Clone, Default)]
struct Counts {
    made: Counter,
    failed: Counter,
    last_good: Gauge<f64, AtomicU64>,
}

impl Schedule {
    /// Where backups are kept, where this process makes any.
    pub(crate) fn to(&self) -> Option<&Path> {
        self.backup_to.as_deref()
    }

    /// How often one is made.
    pub(crate) fn every(&self) -> Duration {
        self.backup_every
    }

    /// How old the newest is whose manifest is good.
    pub(crate) fn age(&self, clock: &Clock) -> Option<Duration> {
        let made = newest(self.to()?)?;
        Some(Duration::from_micros(u64::try_from(clock.now_micros() - made).unwrap_or_default()))
    }

    /// Begins to make them until the token is cancelled; does nothing when it is not asked for.
    pub(crate) fn begin(
        &self,
        source: Source,
        mesh: &Mesh,
        stop: &CancellationToken,
        tracker: &TaskTracker,
    ) {
        let Some(to) = self.backup_to.clone() else { return };
        let counts = Counts::default();
        counts.register(mesh.metrics());
        let (every, keep) = (self.backup_every, self.keep_backups);
        let clock = Clock::system();
        let locks = mesh.locks().clone();
        let scheduled = Scheduled { to, every, keep, source, clock, counts, locks };
        tracker.spawn(scheduled.run(stop.clone()));
    }
}

impl Counts {
    fn register(&self, page: &mesh::metrics::Metrics) {
        page.register(|registry| {
            let help = "Backups that were made and read back whole";
            registry.register("backup_made", help, self.made.clone());
            let help = "Backups that could not be made";
            registry.register("backup_failed", help, self.failed.clone());
            let help = "When the last good backup was made, in seconds since 1970";
            registry.register("backup_last_good_seconds", help, self.last_good.clone());
        });
    }
}

impl Scheduled {
    /// Makes one whenever the last good one is old enough and no other replica does, until it is told to stop.
    async fn run(self, stop: CancellationToken) {
        let mut lock = None;
        let _ = stop.run_until_cancelled(self.go_on(&mut lock)).await;
        if let Some(lock) = lock {
            // Another goes on at once.
            lock.release().await;
        }
    }

    async fn go_on(&self, lock: &mut Option<Lock>) {
        loop {
            let wait = match self.whose(lock).await {
                Whose::Anothers => LOOK,
                Whose::Ours(fence) => match self.due() {
                    Some(due) if !due.is_zero() => due,
                    _ => self.made(fence).await,
                },
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Whose the next one is: whoever has the lock keeps it, for all that follow. Where nobody knows, because Redis is
    /// lost, each goes on as without one, and the directory is one's at a time.
    async fn whose(&self, lock: &mut Option<Lock>) -> Whose {
        if let Some(held) = lock.as_ref().filter(|held| held.is_held()) {
            return Whose::Ours(Some(held.fence()));
        }
        match self.locks.take(LOCK, LASTS).await {
            Turn::Ours(taken) => Whose::Ours(Some(lock.insert(taken).fence())),
            Turn::Anothers => {
                *lock = None;
                Whose::Anothers
            }
            Turn::Unknown => Whose::Ours(None),
        }
    }

    /// Makes one; how long until the next.
    async fn made(&self, fence: Option<u64>) -> Duration {
        match self.one(fence).await {
            Ok(()) => self.every,
            Err(error) => {
                self.counts.failed.inc();
                let to = self.to.display();
                tracing::error!("the backup to {to} failed, and is tried again: {error:#}");
                self.every.min(AGAIN)
            }
        }
    }

    async fn one(&self, fence: Option<u64>) -> Result<()> {
        let held = files::hold_under(&self.to, fence)?;
        let made = make(&self.source, &held, &self.clock).await?;
        self.counts.made.inc();
        self.counts.last_good.set(seconds(self.clock.now_micros()));
        tracing::info!("{} in {}", made.manifest.summary(), made.path.display());
        for removed in retention::keep(&held, self.keep)? {
            tracing::info!("removed the backup {}", removed.display());
        }
        Ok(())
    }

    /// How long until the next one is due: a process that is started again keeps to the schedule.
    fn due(&self) -> Option<Duration> {
        let made = newest(&self.to)?;
        self.counts.last_good.set(seconds(made));
        let since = u64::try_from(self.clock.now_micros() - made).ok()?;
        Some(self.every.saturating_sub(Duration::from_micros(since)))
    }
}

/// When the newest good backup in a directory was made, in microseconds since 1970.
fn newest(kept: &Path) -> Option<i64> {
    let good = retention::backups(kept).ok()?;
    let newest = good.into_iter().find_map(|backup| Manifest::read(&backup).ok())?;
    Some(micros(&newest.time.parse().ok()?))
}

#[expect(clippy::cast_precision_loss, reason = "a second is exact enough")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// A time such as `30m`, `6h` or `1d`.
fn pause(text: &str) -> Result<Duration> {
    let form = "a time is a number with s, m, h or d, such as 6h";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).context(form)?;
    let number: u64 = number.parse().context(form)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => anyhow::bail!(form),
    };
    ensure!(number > 0, "backups are made every second at most");
    Ok(Duration::from_secs(number.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_unit() {
        assert_eq!(pause("6h").unwrap(), Duration::from_secs(6 * 3600));
        assert_eq!(pause("90s").unwrap(), Duration::from_secs(90));
        for text in ["", "h", "0h", "6", "6w", "-1h", "é"] {
            assert!(pause(text).is_err(), "{text}");
        }
    }
}
