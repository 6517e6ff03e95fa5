//! What things are called.

use crate::direction::packages;
use crate::hold;
use crate::source::SOURCES;

/// Names that say nothing: what is shared gets the name of its idea.
const EMPTY: [&str; 11] = [
    "common", "core", "helper", "helpers", "misc", "model", "models", "shared", "types", "util",
    "utils",
];

#[test]
fn no_crate_has_a_name_that_says_nothing() {
    let named =
        packages().into_iter().filter(|package| package.name.split(['-', '_']).any(is_empty));
    let advice = "name it for its idea";
    hold(
        &named
            .map(|it| format!("{}/Cargo.toml:2: `{}`: {advice}", it.place, it.name))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        if source.path.trim_end_matches(".rs").split('/').any(is_empty) {
            violations
                .push(format!("{}:1: its path says nothing: name it for its idea", source.path));
        }
        for offset in source.find("mod ") {
            let code = &source.lexed.code;
            let name = code[offset + 4..].split([' ', ';', '{']).next().unwrap_or_default();
            let keyword = code[..offset].chars().next_back().is_none_or(char::is_whitespace);
            if keyword && is_empty(name) {
                let place = source.place(offset);
                violations
                    .push(format!("{place}: module `{name}` says nothing: name it for its idea"));
            }
        }
    }
    hold(&violations);
}

fn is_empty(name: &str) -> bool {
    EMPTY.contains(&name)
}
