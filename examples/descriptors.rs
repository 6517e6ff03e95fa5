//! Writes every compiled contract to standard output, as the image that `buf` and code generators read.
//!
//! `cargo run --example descriptors > target/contracts.binpb`

use std::collections::HashSet;
use std::io::Write;

use prost::Message;
use prost_types::FileDescriptorProto;

/// A `google.protobuf.FileDescriptorSet` whose files stay encoded: decoding would drop their extension options.
#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut image = Image::default();
    let mut names = HashSet::new();
    for set in [contract::DESCRIPTORS, tradewind::DESCRIPTORS] {
        for file in Image::decode(set)?.files {
            if names.insert(FileDescriptorProto::decode(file.as_slice())?.name) {
                image.files.push(file);
            }
        }
    }
    Ok(std::io::stdout().write_all(&image.encode_to_vec())?)
}
