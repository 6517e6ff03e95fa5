//! Profiles of this process, for operators: where its time goes, and what holds its memory.

mod format;

use std::time::Duration;

use mesh::admin::{NoProfile, Profiler};
use pprof::{ProfilerGuardBuilder, Report};
use tokio::sync::Mutex;

use self::format::{Frame, Profile, Stack};

/// How often a second it is looked at what runs; a number that nothing else is done at the pace of.
const LOOKS: i32 = 99;

/// Code that must not be unwound in a signal: it may hold the very lock that unwinding takes.
const NOT_LOOKED_AT: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// How memory is watched from the start of a process; it costs a little, so it is asked for.
const HOW_TO_WATCH: &str = "memory is not watched; start the process with \
                            _RJEM_MALLOC_CONF=prof:true,lg_prof_sample:19 in its environment";

/// Takes one profile at a time.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    one: Mutex<()>,
}

#[mesh::async_trait]
impl Profiler for Profiles {
    async fn cpu(&self, time: Duration) -> Result<Vec<u8>, NoProfile> {
        let _one = self.one.try_lock().map_err(|_| NoProfile::Busy)?;
        let looking = ProfilerGuardBuilder::default()
            .frequency(LOOKS)
            .blocklist(&NOT_LOOKED_AT)
            .build()
            .map_err(failed)?;
        tokio::time::sleep(time).await;
        // Names are looked up in the binary, which takes a while.
        let written = tokio::task::spawn_blocking(move || {
            let report = looking.report().build().map_err(failed)?;
            profile(&report, time).gzipped().map_err(failed)
        });
        written.await.map_err(failed)?
    }

    async fn heap(&self) -> Result<Vec<u8>, NoProfile> {
        let _one = self.one.try_lock().map_err(|_| NoProfile::Busy)?;
        let watch = jemalloc_pprof::PROF_CTL.as_ref().ok_or(NoProfile::Off(HOW_TO_WATCH))?;
        let mut watch = watch.lock().await;
        if !watch.activated() {
            return Err(NoProfile::Off(HOW_TO_WATCH));
        }
        watch.dump_pprof().map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> NoProfile {
    NoProfile::Failed(error.to_string())
}

fn profile(report: &Report, time: Duration) -> Profile {
    let stacks = report.data.iter().map(|(stack, count)| Stack {
        // What was called into one place by the compiler is several frames of it.
        frames: stack
            .frames
            .iter()
            .flatten()
            .map(|symbol| Frame {
                name: symbol.name(),
                file: symbol.filename().into_owned(),
                line: symbol.lineno().into(),
            })
            .collect(),
        count: i64::try_from(*count).unwrap_or(i64::MAX),
    });
    Profile::of_time(stacks, Duration::from_secs(1) / LOOKS.unsigned_abs(), time)
}
