//! Programs of others that some tests ask, where they are installed.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::http;

/// How long one may take to start, and to have what it is asked for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where those are that were built for the tests.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools")
}

/// Where a program is, in `target/tools` or on the PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder()).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The same. Where it is not, says that a test is skipped, and what builds it.
pub(crate) fn find_or_skip(name: &str, builds: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        let text =
            format!("SKIPPED: no {name} in target/tools or on the PATH; {builds} builds one");
        // Past what a test's output is kept back by; a closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    found
}

/// Starts a program that ends when it is dropped, and waits until it answers at this path.
pub(crate) async fn start(command: &mut Command, address: SocketAddr, path: &str) -> Child {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = quiet.kill_on_drop(true).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while http::status(address, path).await != Some(200) {
        assert!(Instant::now() < deadline, "nothing answers at {address}{path}");
        tokio::task::yield_now().await;
    }
    child
}
