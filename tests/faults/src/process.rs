//! Processes that end with this one, whatever ends it, and what they are told.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a process may take to be ready or to end, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a process says once it does what it is there for.
pub(crate) const READY: &str = "ready";

/// A process that was started here.
pub(crate) struct Process {
    child: Child,
    id: u32,
    input: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

/// What a process is told by the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signal {
    Kill,
    Stop,
    Continue,
    Terminate,
}

impl Process {
    /// Starts words as a process, which is killed when this one ends or drops it.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(words: &[S]) -> Result<Self> {
        Self::start_saying(words, Stdio::inherit())
    }

    /// The same, where what it logs goes to a file, after what stands there.
    pub(crate) fn start_logging<S: AsRef<std::ffi::OsStr>>(
        words: &[S],
        log: &Path,
    ) -> Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        Self::start_saying(words, log.into())
    }

    fn start_saying<S: AsRef<std::ffi::OsStr>>(words: &[S], log: Stdio) -> Result<Self> {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("setpriv of util-linux cannot be run")?;
        let id = child.id().context("the process has ended")?;
        let input = child.stdin.take().context("it has no input")?;
        let said = BufReader::new(child.stdout.take().context("it has no output")?).lines();
        Ok(Self { child, id, input, said })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The next line that it says; none at its end.
    pub(crate) async fn line(&mut self) -> Result<Option<String>> {
        Ok(self.said.next_line().await?)
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn wait_until_ready(&mut self) -> Result<()> {
        let line = timeout(PATIENCE, self.line()).await.context("it is not ready")??;
        ensure!(line.as_deref() == Some(READY), "it said {line:?} and not that it is ready");
        Ok(())
    }

    /// Says a line to it.
    pub(crate) async fn ask(&mut self, line: &str) -> Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await?;
        let answer = timeout(PATIENCE, self.line()).await.context("it does not answer")??;
        ensure!(answer.as_deref() == Some(line), "told {line}, it said {answer:?}");
        Ok(())
    }

    pub(crate) async fn signal(&self, signal: Signal) -> Result<()> {
        let name = match signal {
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
            Signal::Terminate => "-TERM",
        };
        command("kill", &[name, &self.id.to_string()]).await
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(timeout(PATIENCE, self.child.wait()).await.context("it does not end")??)
    }

    /// How it ended, when it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

/// Runs a command that must succeed.
pub(crate) async fn command(name: &str, words: &[&str]) -> Result<()> {
    let ran = Command::new(name).args(words).stdin(Stdio::null()).output().await;
    let ran = ran.with_context(|| format!("{name} cannot be run"))?;
    if !ran.status.success() {
        bail!("{name} {}: {}", words.join(" "), String::from_utf8_lossy(&ran.stderr).trim());
    }
    Ok(())
}

/// This program, as a process is started from it.
pub(crate) fn own() -> Result<String> {
    text(&std::env::current_exe()?)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path is not text")?.to_owned())
}

/// The lines of this process's input. They are read by a thread, which keeps no runtime from its end.
pub(crate) fn input() -> mpsc::UnboundedReceiver<String> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.map(|line| tell.send(line)).all(|sent| sent.is_ok())
    });
    told
}

/// Keeps what was made for this process, such as its network, until its input ends.
pub(crate) async fn hold() {
    let mut lines = input();
    crate::say(READY);
    while lines.recv().await.is_some() {}
}
