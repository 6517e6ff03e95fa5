//! What no file says, and which files there are.

use crate::hold;
use crate::source::{FILES, root};

/// What belongs to one machine; each is put together here so that this file passes.
const MACHINES: [(&str, &str); 3] = [("/work", "/"), ("/root", "/"), ("/home", "/")];

/// How addresses of package registries begin, after their slashes.
const REGISTRIES: [&str; 8] = [
    "deb.debian",
    "files.pythonhosted",
    "index.crates",
    "proxy.golang",
    "pypi.",
    "registry.",
    "repo1.maven",
    "static.crates",
];

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let mut violations = Vec::new();
    for name in FILES.iter() {
        let Ok(text) = std::fs::read_to_string(root().join(name)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let place = format!("{name}:{}", number + 1);
            if MACHINES.iter().any(|(head, tail)| names_folder(line, &format!("{head}{tail}"))) {
                violations.push(format!("{place}: a path of one machine: make it relative"));
            }
            if REGISTRIES.iter().any(|host| line.contains(&format!("://{host}"))) {
                violations
                    .push(format!("{place}: the address of a registry: name the package alone"));
            }
        }
    }
    hold(&violations);
}

#[test]
fn a_service_says_what_it_owns() {
    let manifests = FILES.iter().filter_map(|name| name.strip_suffix("/Cargo.toml"));
    let services = manifests.filter(|folder| folder.starts_with("services/"));
    let silent = services
        .map(|folder| format!("{folder}/README.md"))
        .filter(|readme| !FILES.contains(readme));
    let advice = "write what the service owns, its states, RPCs, events and promises";
    hold(&silent.map(|readme| format!("{readme}:1: {advice}")).collect::<Vec<_>>());
}

/// Whether a line names an absolute folder, and not a part of another path or address.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(offset, _)| {
        let before = line[..offset].chars().next_back();
        before.is_none_or(|letter| {
            !letter.is_alphanumeric() && !matches!(letter, '.' | '_' | '-' | '}' | '/' | '~')
        })
    })
}
