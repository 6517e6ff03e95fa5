//! Compiles contracts: what `build.rs` of `contract` and of `tradewind` call.
//!
//! From the `.proto` files of some packages come, in `OUT_DIR`:
//!
//! - `contracts.rs`: types, clients and servers, one module a package;
//! - `checks.rs`: the rules of `buf.validate` as code, and `contract::Check` for every message;
//! - `resources.rs`: `contract::Resource` for every message with the `resource` option;
//! - `descriptors.bin`: the whole set with options, imports and comments, for everything at run time.
//!
//! Invariant: what a contract leaves unsaid (an RPC without its policy, a resource without an
//! etag) ends the build with the name of what is wrong.

mod checks;
mod descriptors;
mod policy;
mod resource;
mod rust;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::MessageDescriptor;

/// The contracts of a folder as `buf` reads them: those of Tradewind, with all that they import.
pub fn image(root: &Path) -> Result<Vec<u8>> {
    let mut files = Vec::new();
    walk(&root.join("tradewind"), &mut files).with_context(|| format!("{}", root.display()))?;
    Ok(descriptors::compile(root, &names(root, &files))?.bytes)
}

/// Which contracts to compile, and where the rest of them are compiled already.
#[derive(Debug)]
pub struct Contracts {
    /// The folder that imports are relative to; the mesh's own options are found without being in it.
    pub root: PathBuf,
    /// The packages to compile, such as `tradewind.mesh`, with all below them.
    pub packages: Vec<&'static str>,
    /// Packages that another crate has compiled, and its path to them.
    pub elsewhere: Vec<(&'static str, &'static str)>,
    /// The Rust path of the crate `contract` as the generated code must write it.
    pub contract: &'static str,
}

impl Contracts {
    /// Compiles, into `OUT_DIR`.
    #[expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]
    pub fn compile(&self) -> Result<()> {
        println!("cargo:rerun-if-changed={}", self.root.display());
        println!("cargo:rerun-if-changed={}/tradewind/mesh", descriptors::OPTIONS);
        let out =
            PathBuf::from(std::env::var_os("OUT_DIR").context("run this from a build script")?);

        let set = descriptors::compile(&self.root, &self.files()?)?;
        policy::check(&set.pool, |package| self.owns(package))?;
        std::fs::write(out.join("descriptors.bin"), &set.bytes)?;
        rust::generate(self, &set, &out)?;
        checks::generate(self, &set, &out)?;
        resource::generate(self, &set, &out)
    }

    /// Whether a package is compiled here.
    fn owns(&self, package: &str) -> bool {
        self.packages.iter().any(|own| {
            package.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for package in &self.packages {
            let folder = self.root.join(package.replace('.', "/"));
            walk(&folder, &mut files).with_context(|| format!("{}", folder.display()))?;
        }
        Ok(names(&self.root, &files))
    }
}

/// Files as imports name them.
fn names(root: &Path, files: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = files
        .iter()
        .filter_map(|file| file.strip_prefix(root).ok()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// The path of a message as prost names it: packages and outer messages are modules, and a name such as
/// `HTTPRule` is `HttpRule`.
fn rust_path(message: &MessageDescriptor) -> String {
    let outer = match message.parent_message() {
        Some(parent) => module_of(&parent),
        None => message.package_name().replace('.', "::"),
    };
    format!("{outer}::{}", message.name().to_upper_camel_case())
}

/// The module of a message's nested types, as prost names it.
fn module_of(message: &MessageDescriptor) -> String {
    let outer = match message.parent_message() {
        Some(parent) => module_of(&parent),
        None => message.package_name().replace('.', "::"),
    };
    format!("{outer}::{}", message.name().to_snake_case())
}

/// A field as prost names it.
fn field_name(name: &str) -> String {
    if matches!(name, "type" | "ref" | "match" | "use" | "in" | "for" | "as") {
        format!("r#{name}")
    } else {
        name.to_owned()
    }
}

/// `SpecialOrder` as `SPECIAL_ORDER`, the prefix of its values.
fn constant_case(name: &str) -> String {
    let mut constant = String::new();
    for (position, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && position > 0 {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
    }
    constant
}
