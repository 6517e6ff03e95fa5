//! What the figures were measured on.

use std::path::Path;
use std::process::Command;

/// The machine and the versions, as a list in Markdown.
pub(crate) fn described() -> String {
    let cpu = line_of("/proc/cpuinfo", "model name");
    let memory = line_of("/proc/meminfo", "MemTotal");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = said("uname", &["-sr"]);
    let rustc = said("rustc", &["--version"]);
    let postgres = postgres().map_or_else(|| "none".into(), |path| said(&path, &["--version"]));
    let commit = said("git", &["describe", "--always", "--dirty", "--abbrev=12"]);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!(
        "- machine: {cpu}, {cores} cores shared by both sides and their client, {memory}; {kernel}\n\
         - versions: {rustc}, {postgres}; commit {commit}, {build} build"
    )
}

/// The newest PostgreSQL that is installed, as `store-testing` takes it.
fn postgres() -> Option<String> {
    program_of_postgres("postgres").map(|path| path.display().to_string())
}

/// A program of the newest PostgreSQL that is installed.
pub(crate) fn program_of_postgres(program: &str) -> Option<std::path::PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .map(|version| version.path())
        .filter(|version| version.join("bin").join(program).exists())
        .max_by_key(|version| number(version))
        .map(|version| version.join("bin").join(program))
}

fn number(version: &Path) -> u32 {
    let name = version.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).unwrap_or_default()
}

fn line_of(file: &str, key: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
    value.unwrap_or("unknown").to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| format!("{program} unknown"))
}
