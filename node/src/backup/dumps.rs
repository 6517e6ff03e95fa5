//! PostgreSQL's own programs: `pg_dump` and `pg_restore`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// What this program's own driver takes in a URL, and PostgreSQL's do not.
const DRIVER_ONLY: [&str; 1] = ["statement-cache-capacity"];

/// A database's address, with its password apart: other users of a machine can read the arguments of programs.
#[derive(Clone)]
pub(crate) struct Address {
    url: String,
    without_password: String,
    password: Option<String>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("url", &self.without_password).finish_non_exhaustive()
    }
}

impl Address {
    pub(crate) fn of(url: &str) -> Self {
        let (place, options) = url.split_once('?').unwrap_or((url, ""));
        let mut password = None;
        let mut plain = place.to_owned();
        if let Some((scheme, rest)) = place.split_once("://")
            && let Some((user, host)) = rest.rsplit_once('@')
            && let Some((name, secret)) = user.split_once(':')
        {
            password = Some(unescaped(secret));
            plain = format!("{scheme}://{name}@{host}");
        }
        let mut kept = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("password", secret)) => password = Some(unescaped(secret)),
                Some((name, _)) if DRIVER_ONLY.contains(&name) => {}
                _ => kept.push(option),
            }
        }
        if !kept.is_empty() {
            plain = format!("{plain}?{}", kept.join("&"));
        }
        Self { url: url.to_owned(), without_password: plain, password }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn give(&self, command: &mut Command) {
        command.arg(format!("--dbname={}", self.without_password)).arg("--no-password");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
    }
}

/// A text as it was before it was made part of a URL.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = || {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        };
        if let Some(byte) = (*first == b'%').then(escaped).flatten() {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where the programs are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs {
    directory: Option<PathBuf>,
}

/// One program.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    name: &'static str,
}

impl Programs {
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self { directory }
    }

    /// A `pg_dump` that can read a server of a version; an older one cannot.
    pub(crate) async fn dump_of(&self, server_version: i32) -> Result<Program> {
        let (program, version) = self.newest("pg_dump").await?;
        let server = server_version / 10_000;
        ensure!(
            version >= server,
            "{} is of PostgreSQL {version}, and the server is of {server}: a dump takes a pg_dump that is not older; \
             install postgresql-client-{server}, or say where it is with --postgres-programs",
            program.path.display()
        );
        Ok(program)
    }

    pub(crate) async fn restore(&self) -> Result<Program> {
        Ok(self.newest("pg_restore").await?.0)
    }

    /// The newest program of a name, and its version.
    async fn newest(&self, name: &'static str) -> Result<(Program, i32)> {
        let mut found: Option<(Program, i32)> = None;
        for directory in self.directories() {
            let program = Program { path: directory.join(name), name };
            let Some(version) = program.version().await else { continue };
            if found.as_ref().is_none_or(|(_, newest)| version > *newest) {
                found = Some((program, version));
            }
        }
        let where_ = match &self.directory {
            Some(directory) => format!("in {}", directory.display()),
            None => format!("in PATH or in {DEBIAN}"),
        };
        found.with_context(|| {
            format!(
                "there is no {name} {where_}: install PostgreSQL's client programs (Debian: postgresql-client), or \
                 say where they are with --postgres-programs"
            )
        })
    }

    fn directories(&self) -> Vec<PathBuf> {
        if let Some(directory) = &self.directory {
            return vec![directory.clone()];
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut directories: Vec<_> = std::env::split_paths(&path).collect();
        let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
        directories.extend(versions.map(|version| version.path().join("bin")));
        directories
    }
}

impl Program {
    /// Its major version; nothing when it is not there.
    async fn version(&self) -> Option<i32> {
        if !self.path.is_file() {
            return None;
        }
        let said = Command::new(&self.path).arg("--version").output().await.ok()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        // It says `pg_dump (PostgreSQL) 17.5 (Debian 17.5-1)`.
        let version = said.split_whitespace().nth(2)?;
        version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
    }

    /// Copies a schema as it is in a snapshot.
    pub(crate) async fn dump(
        &self,
        address: &Address,
        schema: &str,
        snapshot: &str,
        to: &Path,
    ) -> Result<()> {
        let mut command = Command::new(&self.path);
        command.args(["--format=custom", "--no-owner", "--no-privileges"]);
        command.arg(format!("--schema={schema}")).arg(format!("--snapshot={snapshot}"));
        command.arg("--file").arg(to);
        address.give(&mut command);
        self.must(command).await
    }

    /// Brings a schema back that is not there, whole or not at all.
    pub(crate) async fn restore(&self, address: &Address, from: &Path) -> Result<()> {
        let mut command = Command::new(&self.path);
        command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]);
        address.give(&mut command);
        command.arg(from);
        self.must(command).await
    }

    async fn must(&self, mut command: Command) -> Result<()> {
        let run = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let run = run.with_context(|| format!("{} cannot be run", self.path.display()))?;
        if !run.status.success() {
            bail!("{} failed: {}", self.name, String::from_utf8_lossy(&run.stderr).trim());
        }
        Ok(())
    }

    /// How many rows each table of a schema has in a dump, by reading all of them out of it.
    pub(crate) async fn rows(&self, file: &Path, schema: &str) -> Result<BTreeMap<String, i64>> {
        let mut command = Command::new(&self.path);
        command.arg("--file=-").arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", self.path.display()))?;
        let out = child.stdout.take().context("it says nothing")?;
        let mut counted = Counted::new(schema);
        let mut lines = BufReader::new(out);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await? > 0 {
            counted.read(&line);
            line.clear();
        }
        let run = child.wait_with_output().await?;
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr);
            bail!("{} is damaged: {} says {}", file.display(), self.name, said.trim());
        }
        Ok(counted.rows)
    }
}

/// Counts rows in the text of a dump, where each is a line between `COPY … FROM stdin;` and `\.`.
struct Counted {
    begin: String,
    table: Option<String>,
    rows: BTreeMap<String, i64>,
}

impl Counted {
    fn new(schema: &str) -> Self {
        Self { begin: format!("COPY {schema}."), table: None, rows: BTreeMap::new() }
    }

    fn read(&mut self, line: &[u8]) {
        if let Some(table) = &self.table {
            if line == b"\\.\n" {
                self.table = None;
            } else if let Some(count) = self.rows.get_mut(table) {
                *count += 1;
            }
            return;
        }
        let text = String::from_utf8_lossy(line);
        let Some(rest) = text.strip_prefix(&self.begin) else { return };
        if let Some((table, _)) = rest.split_once(" (") {
            let table = table.trim_matches('"').to_owned();
            self.rows.insert(table.clone(), 0);
            self.table = Some(table);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_by_the_environment_and_not_by_the_arguments() {
        let address = Address::of(
            "postgres://ada:s%40cret@db:5432/shop?sslmode=require&statement-cache-capacity=9",
        );

        assert_eq!(address.without_password, "postgres://ada@db:5432/shop?sslmode=require");
        assert_eq!(address.password.as_deref(), Some("s@cret"));
        let socket = Address::of("postgres:///shop?host=/run/x&user=postgres");
        assert_eq!(socket.without_password, "postgres:///shop?host=/run/x&user=postgres");
        assert_eq!(socket.password, None);
        assert!(!format!("{address:?}").contains("s@cret"));
    }

    #[test]
    fn the_rows_of_a_dump_are_its_lines() {
        let mut counted = Counted::new("orders");
        let dump = "CREATE TABLE orders.orders (\nCOPY orders.orders (id) FROM stdin;\na\nCOPY orders.x (id\n\\.\n\
                    COPY orders.none (id) FROM stdin;\n\\.\n";

        dump.split_inclusive('\n').for_each(|line| counted.read(line.as_bytes()));

        assert_eq!(counted.rows, BTreeMap::from([("orders".into(), 2), ("none".into(), 0)]));
    }
}
