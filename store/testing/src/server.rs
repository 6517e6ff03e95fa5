//! A PostgreSQL server from Debian's packages, on a private socket, that ends with its starter.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::TestDatabase;

/// How often a server that starts is asked whether it is ready: a minute in all.
pub(crate) const ASKED: (u32, Duration) = (3000, Duration::from_millis(20));

/// Runs a server until standard input ends, however its writer ends; then nothing of it is left, unless it is to be
/// kept for another, or a file `keep` says so. Which process it is, is told beside its log.
pub(crate) const WATCH: &str = r#"
directory=$1; end=$2; keep=$3; shift 3
"$@" > "$directory/log" 2>&1 < /dev/null &
server=$!
echo "$server" > "$directory/pid"
cat > /dev/null
kill -"$end" "$server" 2> /dev/null
wait "$server" 2> /dev/null
[ "$keep" = keep ] || [ -e "$directory/keep" ] || rm -rf "$directory"
"#;

/// A PostgreSQL server; dropped, it is gone.
#[derive(Debug)]
pub struct Server {
    watch: Child,
    directory: PathBuf,
    durable: bool,
}

impl Server {
    /// Starts a server in a temporary directory; one that is durable waits for the disk at each commit.
    pub fn start(durable: bool) -> Result<Self, String> {
        let programs = programs()?;
        let user = Account::of_servers()?;
        let directory = private_directory(user.as_ref())?;
        let data = directory.join("data");
        let mut initdb = user.command(&programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        initdb.args(["--locale=C.UTF-8", "--no-sync", "--pgdata"]).arg(&data);
        let made = initdb.current_dir(&directory).stdin(Stdio::null()).output();
        let made = made.map_err(|error| format!("initdb: {error}"))?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let watch = watch(&directory, durable)?;
        let server = Self { watch, directory, durable };
        server.wait_until_ready(&programs)?;
        Ok(server)
    }

    /// A database of its own on this server.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub async fn database(&self) -> TestDatabase {
        match crate::create_on(self.url(), crate::LOCALE).await {
            Ok(place) => TestDatabase { place },
            Err(problem) => panic!("no database for the test: {problem}"),
        }
    }

    /// Kills the server and every process of it, as a machine does that loses its power.
    pub fn kill(&mut self) -> Result<(), String> {
        let keep = self.directory.join("keep");
        std::fs::write(&keep, "").map_err(|error| error.to_string())?;
        let pid = std::fs::read_to_string(self.directory.join("pid"));
        let pid = pid.map_err(|error| error.to_string())?.trim().to_owned();
        // The postmaster first: what it has started until then is all that there will be.
        let mut killed = vec![pid.clone()];
        let children = format!("/proc/{pid}/task/{pid}/children");
        signal("-STOP", &killed)?;
        let children = std::fs::read_to_string(children).map_err(|error| error.to_string())?;
        killed.extend(children.split_whitespace().map(str::to_owned));
        signal("-KILL", &killed)?;
        self.end();
        std::fs::remove_file(&keep).map_err(|error| error.to_string())
    }

    /// Starts the server again that was killed, on what it has kept; done when it takes connections.
    pub fn restart(&mut self) -> Result<(), String> {
        self.watch = watch(&self.directory, self.durable)?;
        self.wait_until_ready(&programs()?)
    }

    fn end(&mut self) {
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }

    /// The URL of its maintenance database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=postgres", self.directory.display())
    }

    fn wait_until_ready(&self, programs: &Path) -> Result<(), String> {
        for _ in 0..ASKED.0 {
            let mut ask = Command::new(programs.join("pg_isready"));
            let ready = ask.arg("-q").arg("-h").arg(&self.directory).status();
            if ready.is_ok_and(|status| status.success()) {
                return Ok(());
            }
            sleep(ASKED.1);
        }
        let mut log = String::new();
        if let Ok(mut file) = std::fs::File::open(self.directory.join("log")) {
            let _ = file.read_to_string(&mut log);
        }
        Err(format!("postgres did not become ready: {log}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs the server of a directory until its standard input ends.
fn watch(directory: &Path, durable: bool) -> Result<Child, String> {
    let mut command = Account::of_servers()?.command(Path::new("/bin/sh"));
    command
        .args(["-c", WATCH, "watch"])
        .arg(directory)
        .args(["QUIT", "remove"])
        .arg(programs()?.join("postgres"))
        .arg("-D")
        .arg(directory.join("data"))
        .arg("-k")
        .arg(directory)
        .args(settings(durable))
        .current_dir(directory);
    beside(&mut command).map_err(|error| format!("postgres: {error}"))
}

/// Starts a server that ends when its standard input does.
pub(crate) fn beside(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Out of the terminal's group: an interrupt is for the tests, and the server ends after them.
    command.process_group(0).spawn()
}

/// Tells processes something. Of those that have ended meanwhile, nobody need be told.
fn signal(which: &str, pids: &[String]) -> Result<(), String> {
    let told = Command::new("kill").arg(which).args(pids).stderr(Stdio::null()).status();
    told.map(|_| ()).map_err(|error| format!("kill: {error}"))
}

/// The newest PostgreSQL that is installed.
fn programs() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .map(|version| version.path().join("bin"))
        .filter(|programs| programs.join("initdb").exists())
        .max_by_key(|programs| version(programs));
    newest.ok_or_else(|| {
        "PostgreSQL is not installed; install Debian's package: apt-get install postgresql".into()
    })
}

fn version(programs: &Path) -> u32 {
    let version = programs.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// What the server is told; only one that is durable outlives a power cut.
fn settings(durable: bool) -> Vec<String> {
    let on = if durable { "on" } else { "off" };
    [
        "listen_addresses=",
        "max_connections=400",
        "shared_buffers=128MB",
        &format!("fsync={on}"),
        &format!("synchronous_commit={on}"),
        &format!("full_page_writes={on}"),
    ]
    .iter()
    .flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()])
    .collect()
}

/// A directory that the server's account owns, and nobody else enters.
fn private_directory(user: Option<&Account>) -> Result<PathBuf, String> {
    let made = TempDir::with_prefix("tradewind-postgres-").map(TempDir::keep).and_then(|path| {
        if let Some(user) = user {
            std::os::unix::fs::chown(&path, Some(user.uid), Some(user.gid))?;
        }
        Ok(path)
    });
    made.map_err(|error| format!("a temporary directory: {error}"))
}

/// The account that the server runs as when this process runs as root, which PostgreSQL refuses.
#[derive(Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    fn of_servers() -> Result<Option<Self>, String> {
        if id("-u", None)? != 0 {
            return Ok(None);
        }
        let account = ["postgres", "nobody"].into_iter().find_map(|name| {
            let uid = id("-u", Some(name)).ok()?;
            Some(Self { uid, gid: id("-g", Some(name)).ok()? })
        });
        account.map(Some).ok_or_else(|| {
            "there is no account `postgres` or `nobody` for the server to run as".into()
        })
    }
}

trait Commands {
    /// A program run by the account, or by this one.
    fn command(&self, program: &Path) -> Command;
}

impl Commands for Option<Account> {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(Account { uid, gid }) = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }
}

fn id(what: &str, of: Option<&str>) -> Result<u32, String> {
    let output = Command::new("id").arg(what).args(of).output();
    let output = output.map_err(|error| format!("id: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("id {what} said `{}`", text.trim()))
}
