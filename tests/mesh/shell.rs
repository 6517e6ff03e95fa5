//! Commands of a page, run as someone would who types them one after another.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::tools;
use crate::world::World;

/// How long all commands of a page may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A folder with nothing in it, and what a shell finds there.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A variable that the commands find.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Runs a script that ends at the first command that fails. Its mesh is the one at `localhost:8080`, and
    /// `tradewind` is the binary that was built.
    pub(crate) async fn run(&self, script: &str, world: &World) -> Output {
        let script = script.replace("localhost:8080", &world.gateway.to_string());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [built(), tools::folder()].into_iter().chain(std::env::split_paths(&path));
        let mut shell = Command::new("bash");
        shell.args(["-eu", "-c", &script]).current_dir(self.folder.path()).kill_on_drop(true);
        shell.env("PATH", std::env::join_paths(path).unwrap()).env("HOME", self.folder.path());
        shell.env_remove("XDG_CONFIG_HOME");
        shell.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let ran = timeout(PATIENCE, shell.stdin(std::process::Stdio::null()).output()).await;
        ran.unwrap_or_else(|_| panic!("not done within {PATIENCE:?}: {script}")).unwrap()
    }
}

/// What a run said, on both ways.
pub(crate) fn said(output: &Output) -> String {
    let [said, complaints] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!("{}:\n{said}\n{complaints}", output.status)
}

/// Where the binary is.
fn built() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_tradewind")).parent().unwrap().to_owned()
}
