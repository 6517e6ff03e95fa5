//! The files of the repository, and what in the Rust ones is test code.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::lexer::{Lexed, lex};

/// The range of a file that is test code as a whole.
const EVERYTHING: Range<usize> = 0..usize::MAX;

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the repository, such as `mesh/src/lib.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) lexed: Lexed,
    /// What stands under `#[cfg(test)]`; all of it in a file of tests.
    pub(crate) tests: Vec<Range<usize>>,
}

impl Source {
    /// `path:line`, for a message.
    pub(crate) fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.line(offset))
    }

    /// The line of an offset, from one.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    pub(crate) fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&offset))
    }

    /// Where `pattern` stands in code, outside comments and strings.
    pub(crate) fn find(&self, pattern: &str) -> impl Iterator<Item = usize> {
        self.lexed.code.match_indices(pattern).map(|(offset, _)| offset)
    }
}

/// The folder with the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file that is or could be committed, from the root of the repository.
pub(crate) static FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8_lossy(&listed.stdout);
    let names: BTreeSet<_> = listed.split_terminator('\0').map(str::to_owned).collect();
    names.into_iter().filter(|name| root().join(name).is_file()).collect()
});

/// Every Rust file.
pub(crate) static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let names =
        FILES.iter().filter(|name| Path::new(name).extension().is_some_and(|it| it == "rs"));
    let mut sources: Vec<_> = names.filter_map(|name| read(name)).collect();
    let modules: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        if modules.contains(&source.path) {
            source.tests = vec![EVERYTHING];
        }
    }
    sources
});

fn read(name: &str) -> Option<Source> {
    let text = std::fs::read_to_string(root().join(name)).ok()?;
    let lexed = lex(&text);
    let tests = if name.split('/').any(|folder| matches!(folder, "tests" | "benches")) {
        vec![EVERYTHING]
    } else {
        test_items(&lexed.code)
    };
    Some(Source { path: name.to_owned(), text, lexed, tests })
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    code.match_indices("#[cfg(test)]").map(|(start, _)| start..item_end(code, start)).collect()
}

/// Where the item that starts at an offset ends: at its semicolon, or at the brace that closes it.
pub(crate) fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    let mut nested = 0_usize;
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && nested == 0 {
                    return offset + 1;
                }
            }
            b';' if depth == 0 && nested == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// The files that a source declares as `#[cfg(test)] mod name;`.
fn test_modules(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let stem = file.trim_end_matches(".rs");
    let inner = if matches!(stem, "lib" | "main" | "mod") {
        folder.to_owned()
    } else {
        format!("{folder}/{stem}")
    };
    let items = source.tests.iter().filter_map(|range| source.lexed.code.get(range.clone()));
    let names = items
        .filter_map(|item| item.strip_suffix(';')?.split_once("mod ").map(|(_, name)| name.trim()));
    names
        .flat_map(|name| [format!("{inner}/{name}.rs"), format!("{inner}/{name}/mod.rs")])
        .collect()
}
