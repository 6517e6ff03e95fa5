//! The comments of contracts, which are the documentation of the API.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// Every leading comment, by file and position.
#[derive(Debug)]
pub(crate) struct Comments {
    by_place: HashMap<(String, Vec<i32>), String>,
}

impl Comments {
    /// The comments of all files.
    pub(crate) fn read(pool: &DescriptorPool) -> Self {
        let mut by_place = HashMap::new();
        for file in pool.files() {
            let Some(source) = &file.file_descriptor_proto().source_code_info else { continue };
            for location in &source.location {
                let comment = tidy(location.leading_comments());
                if !comment.is_empty() {
                    by_place.insert((file.name().to_owned(), location.path.clone()), comment);
                }
            }
        }
        Self { by_place }
    }

    /// The comment on what stands at a position of a file; empty without one.
    pub(crate) fn of(&self, file: &FileDescriptor, path: &[i32]) -> String {
        let place = (file.name().to_owned(), path.to_vec());
        self.by_place.get(&place).cloned().unwrap_or_default()
    }
}

/// Lines of one paragraph as one line.
fn tidy(comment: &str) -> String {
    let paragraphs = comment.trim().split("\n\n");
    let joined = paragraphs.map(|text| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    });
    joined.collect::<Vec<_>>().join("\n\n")
}

/// The first sentence of a comment, without its full stop.
pub(crate) fn first_sentence(comment: &str) -> &str {
    let line = comment.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(first, _)| first).trim_end_matches('.')
}
