//! Whether others on this machine can read what only the process must.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::serve::Arguments;

const CHECK: &str = "keys";

/// Looks at every file that holds a key.
pub(super) fn look(arguments: &Arguments) -> Vec<Finding> {
    let mut keys: Vec<PathBuf> = [&arguments.others.mesh_key, &arguments.listen.tls_key]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let mut findings = Vec::new();
    if let Some(directory) = &arguments.others.certs {
        keys.extend(in_directory(directory));
        if directory.join("ca-key.pem").exists() {
            findings.push(Finding::warn(
                CHECK,
                format!("the authority's own key lies in {}", directory.display()),
                "keep ca-key.pem where no process runs: whoever has it can be any service",
            ));
        }
    }
    findings.extend(keys.iter().filter_map(|key| judge(key)));
    findings
}

fn in_directory(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut keys: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("-key.pem"))
        .collect();
    keys.sort_unstable();
    keys
}

/// Nothing about a file that is not there: whoever reads it says so.
fn judge(key: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(key).ok()?.permissions().mode() & 0o777;
    let shown = key.display();
    let found = format!("{shown} has mode {mode:03o}");
    Some(if mode & 0o007 != 0 {
        let advice = format!("chmod 600 {shown}; every user of this machine can read it");
        Finding::fail(CHECK, found, advice)
    } else if mode & 0o020 != 0 {
        Finding::warn(CHECK, found, format!("chmod g-w {shown}; its group can change it"))
    } else {
        Finding::pass(CHECK, found)
    })
}
