//! The rules of `buf.validate` as code, and one trait over every message.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use prost_protovalidate_build::Builder;

use crate::{Contracts, descriptors::Set, rust_path};

pub(crate) fn generate(contracts: &Contracts, set: &Set, out: &Path) -> Result<()> {
    let mut builder = Builder::new()
        .file_descriptor_set_bytes(set.bytes.clone())
        .out_dir(out)
        .fail_on_runtime_only(true);
    for (package, path) in &contracts.elsewhere {
        builder = builder.extern_path(format!(".{package}"), *path);
    }
    builder.compile()?;
    let rules = out.join("validate_impl.rs");
    let rules = std::fs::read_to_string(&rules).with_context(|| rules.display().to_string())?;

    let mut code = rules.clone();
    for message in set.pool.all_messages() {
        if !contracts.owns(message.package_name()) || message.is_map_entry() {
            continue;
        }
        let path = rust_path(&message);
        let body = if rules.contains(&format!("Validate for {path} ")) {
            "::prost_protovalidate::Validate::validate(self)"
        } else {
            "Ok(())"
        };
        writeln!(
            code,
            "impl {0}::Check for {path} {{\n    \
                 fn check(&self) -> Result<(), {0}::Violations> {{\n        {body}\n    }}\n}}",
            contracts.contract
        )?;
    }
    Ok(std::fs::write(out.join("checks.rs"), code)?)
}
