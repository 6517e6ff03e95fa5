//! `.proto` files to one descriptor set, without `protoc`.

use std::path::Path;

use anyhow::{Context, Result};
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorSet;
use protox::Compiler;
use protox::file::{
    ChainFileResolver, DescriptorSetFileResolver, GoogleFileResolver, IncludeFileResolver,
};

/// The folder with the mesh's own contracts.
pub(crate) const OPTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");

/// A descriptor set in the three forms that its users need.
pub(crate) struct Set {
    /// With every option: `prost_types` drops extensions, so these bytes are what is embedded.
    pub(crate) bytes: Vec<u8>,
    pub(crate) pool: DescriptorPool,
    pub(crate) files: FileDescriptorSet,
}

pub(crate) fn compile(root: &Path, files: &[String]) -> Result<Set> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(IncludeFileResolver::new(root.to_owned()));
    // Contracts of others import the mesh's options, which come with the crate that checks them.
    resolver.add(IncludeFileResolver::new(OPTIONS.into()));
    resolver.add(DescriptorSetFileResolver::decode(
        prost_protovalidate_types::DESCRIPTOR_POOL.encode_to_vec().as_slice(),
    )?);
    resolver.add(GoogleFileResolver::new());

    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for file in files {
        compiler.open_file(file).with_context(|| format!("contract {file}"))?;
    }
    let bytes = compiler.encode_file_descriptor_set();
    let pool = DescriptorPool::decode(bytes.as_slice())?;
    let files = FileDescriptorSet::decode(bytes.as_slice())?;
    Ok(Set { bytes, pool, files })
}
