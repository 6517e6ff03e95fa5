//! A Redis server from Debian's package, on a private socket, that ends with its starter.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::server::{ASKED, WATCH, beside};

/// A Redis server that can be killed, and started again with what it kept; dropped, it is gone.
#[derive(Debug)]
pub struct Redis {
    directory: TempDir,
    watch: Child,
    keeps: bool,
}

impl Redis {
    /// Starts a server that forgets everything when it ends.
    ///
    /// # Panics
    ///
    /// When there is none to be had; the message says what to install.
    #[must_use]
    pub fn start() -> Self {
        Self::started(false)
    }

    /// Starts a server that writes down what it is told, at each command.
    ///
    /// # Panics
    ///
    /// When there is none to be had; the message says what to install.
    #[must_use]
    pub fn start_lasting() -> Self {
        Self::started(true)
    }

    fn started(keeps: bool) -> Self {
        let made = TempDir::with_prefix("tradewind-redis-").map_err(|error| error.to_string());
        let started = made.and_then(|directory| {
            let watch = watch(directory.path(), keeps)?;
            Ok(Self { directory, watch, keeps })
        });
        match started.and_then(|server| server.wait_until_ready().map(|()| server)) {
            Ok(server) => server,
            Err(problem) => panic!("no Redis for the test: {problem}"),
        }
    }

    /// The server's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Kills the server, as a machine does that loses its power; its socket answers no more.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.data().join("pid")).unwrap_or_default();
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "redis-server {pid} was not killed");
        self.end();
    }

    /// Starts the server again that was killed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn restart(&mut self) {
        match watch(self.directory.path(), self.keeps) {
            Ok(watch) => self.watch = watch,
            Err(problem) => panic!("Redis does not start again: {problem}"),
        }
        if let Err(problem) = self.wait_until_ready() {
            panic!("{problem}");
        }
    }

    /// What it says to a command of one line, the first line of it.
    ///
    /// # Panics
    ///
    /// When it says nothing.
    #[must_use]
    pub fn ask(&self, command: &str) -> String {
        match said(&self.socket(), command) {
            Ok(said) => said,
            Err(error) => panic!("Redis does not answer {command}: {error}"),
        }
    }

    fn end(&mut self) {
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        for _ in 0..ASKED.0 {
            if answers(&self.socket()) {
                return Ok(());
            }
            sleep(ASKED.1);
        }
        let log = std::fs::read_to_string(self.data().join("log")).unwrap_or_default();
        Err(format!("redis-server did not become ready: {log}"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a server in a directory until its standard input ends.
fn watch(directory: &Path, keeps: bool) -> Result<Child, String> {
    let data = directory.join("data");
    std::fs::create_dir_all(&data).map_err(|error| error.to_string())?;
    let (append, sync) = if keeps { ("yes", "always") } else { ("no", "no") };
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return Err("install Debian's package: apt-get install redis-server".into());
    }
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", WATCH, "watch"])
        .arg(&data)
        // A server that is killed leaves its data to the next one.
        .args(["KILL", "keep"])
        .arg("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", append, "--appendfsync", sync])
        .arg("--unixsocket")
        .arg(directory.join("socket"))
        .arg("--dir")
        .arg(&data);
    beside(&mut command).map_err(|error| format!("redis-server: {error}"))
}

/// Whether a server takes commands.
fn answers(socket: &Path) -> bool {
    said(socket, "PING").is_ok_and(|answer| answer == "+PONG")
}

/// What a server says to a command, the first line of it.
fn said(socket: &Path, command: &str) -> std::io::Result<String> {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
