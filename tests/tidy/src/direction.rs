//! Which crate may know which: the picture of the design, held.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::hold;
use crate::source::root;

/// What the crate at a place may depend on in this workspace; `*` is any folder there, `.` the contracts.
const MAY_KNOW: [(&str, &[&str]); 14] = [
    (".", &["contract", "contract/build"]),
    ("contract", &["contract/build"]),
    ("contract/build", &[]),
    ("mesh", &["contract"]),
    ("mesh/testing", &["contract", "contract/build"]),
    ("store", &["contract", "mesh"]),
    ("store/testing", &["contract", "mesh", "store"]),
    ("redis", &["contract", "mesh"]),
    ("services/*", &[".", "contract", "mesh", "store"]),
    ("clients/*", &[".", "contract", "mesh"]),
    ("auditor", &[".", "contract", "mesh"]),
    ("node", &["*", "*/*"]),
    ("bench", &[".", "contract", "mesh", "redis", "store", "store/testing"]),
    ("tests/*", &["*", "*/*"]),
];

/// What the tests of every crate may use besides.
const TESTS_MAY_KNOW: [&str; 4] = ["mesh/testing", "store", "store/testing", "tests/harness"];

/// Who alone may name a foreign crate: tonic stays behind the mesh, sqlx behind the store.
const BEHIND: [(&str, &[&str]); 7] = [
    (
        "http",
        &[
            "contract",
            "mesh",
            "mesh/testing",
            "services/gateway",
            "clients/*",
            "node",
            "bench",
            "tests/*",
        ],
    ),
    (
        "hyper",
        &["mesh", "mesh/testing", "services/gateway", "clients/*", "node", "bench", "tests/*"],
    ),
    ("redis", &["redis"]),
    ("sqlx", &["store", "store/testing", "bench", "tests/*"]),
    (
        "tonic",
        &[
            ".",
            "contract",
            "contract/build",
            "mesh",
            "mesh/testing",
            "store",
            "services/gateway",
            "clients/*",
            "node",
            "bench",
            "tests/*",
        ],
    ),
    (
        "tower",
        &[
            "contract",
            "mesh",
            "mesh/testing",
            "store",
            "services/gateway",
            "clients/*",
            "node",
            "bench",
            "tests/*",
        ],
    ),
    ("axum", &["services/gateway", "node", "bench", "tests/*"]),
];

/// A crate of this workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, from the root of the repository; `.` for the root.
    pub(crate) place: String,
    pub(crate) dependencies: Vec<Dependency>,
    features: usize,
}

/// What a crate's manifest asks for.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    kind: Option<String>,
    path: Option<String>,
}

impl Dependency {
    fn is_for_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

#[test]
fn dependencies_point_one_way() {
    let mut violations = Vec::new();
    for package in packages() {
        let Some((_, known)) = MAY_KNOW.iter().find(|(place, _)| stands_at(&package.place, place))
        else {
            violations.push(format!(
                "{}/Cargo.toml:1: say in tests/tidy/src/direction.rs what a crate here may know",
                package.place
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(place) = dependency.path.as_deref().map(relative) else { continue };
            let for_tests = dependency.is_for_tests()
                && (place == package.place || TESTS_MAY_KNOW.contains(&place.as_str()));
            if !for_tests && !known.iter().any(|known| stands_at(&place, known)) {
                violations.push(violation(
                    &package,
                    dependency,
                    "meet through a contract, or move what both need down",
                ));
            }
        }
    }
    hold(&violations);
}

#[test]
fn tonic_stays_behind_the_mesh_and_sqlx_behind_the_store() {
    let mut violations = Vec::new();
    for package in packages() {
        for dependency in package.dependencies.iter().filter(|it| !it.is_for_tests()) {
            let family = BEHIND.iter().find(|(name, _)| is_of(&dependency.name, name));
            if family
                .is_some_and(|(_, places)| !places.iter().any(|it| stands_at(&package.place, it)))
            {
                violations.push(violation(
                    &package,
                    dependency,
                    "use what mesh and store give, or give it there",
                ));
            }
        }
    }
    hold(&violations);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_and_has_no_features() {
    let mut violations = Vec::new();
    for package in packages() {
        let manifest = root().join(&package.place).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).expect("cargo has just read it");
        if !text.contains("[lints]\nworkspace = true") {
            violations.push(format!(
                "{}/Cargo.toml:1: add `[lints]` with `workspace = true`",
                package.place
            ));
        }
        if package.features > 0 {
            violations.push(format!(
                "{}/Cargo.toml:1: a feature: every build is the whole build",
                package.place
            ));
        }
    }
    hold(&violations);
}

#[test]
fn a_family_is_its_crate_and_those_named_after_it() {
    assert!(is_of("tonic", "tonic") && is_of("tonic-types", "tonic") && is_of("http-body", "http"));
    assert!(!is_of("towering", "tower"));
    assert!(stands_at("services/cart", "services/*") && !stands_at("mesh/testing", "mesh"));
}

/// The crates of the workspace, as cargo sees them.
pub(crate) fn packages() -> Vec<Package> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        name: String,
        manifest_path: String,
        dependencies: Vec<Dependency>,
        features: serde_json::Map<String, serde_json::Value>,
    }

    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(listed.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&listed.stderr));
    let metadata: Metadata =
        serde_json::from_slice(&listed.stdout).expect("cargo metadata is JSON");
    let packages = metadata.packages.into_iter().map(|listed| Package {
        place: relative(listed.manifest_path.trim_end_matches("Cargo.toml")),
        name: listed.name,
        dependencies: listed.dependencies,
        features: listed.features.len(),
    });
    packages.collect()
}

fn relative(folder: &str) -> String {
    let root = root().canonicalize().expect("the workspace is there");
    let folder = Path::new(folder).strip_prefix(&root).unwrap_or(Path::new(folder));
    match folder.to_string_lossy().trim_end_matches('/') {
        "" => ".".to_owned(),
        folder => folder.to_owned(),
    }
}

/// Whether a folder is the one that a pattern names; `*` is one folder of any name.
fn stands_at(place: &str, pattern: &str) -> bool {
    let (place, pattern) = (place.split('/'), pattern.split('/'));
    place.clone().count() == pattern.clone().count()
        && place.zip(pattern).all(|(folder, pattern)| pattern == "*" || folder == pattern)
}

fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn violation(package: &Package, dependency: &Dependency, advice: &str) -> String {
    let Dependency { name, .. } = dependency;
    let manifest = root().join(&package.place).join("Cargo.toml");
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    let line =
        text.lines().position(|line| line.starts_with(name.as_str())).map_or(1, |line| line + 1);
    format!("{}/Cargo.toml:{line}: `{}` depends on `{name}`: {advice}", package.place, package.name)
}
