//! Writes the contracts of a folder to standard output, as the image that `buf` reads: `image FOLDER`.
//!
//! Unlike those that are compiled in, they can be of another commit.

use std::io::Write;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let Some(folder) = std::env::args().nth(1) else { anyhow::bail!("usage: image FOLDER") };
    Ok(std::io::stdout().write_all(&contract_build::image(Path::new(&folder))?)?)
}
