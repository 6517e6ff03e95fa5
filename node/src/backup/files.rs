//! Files that their owner alone can read, and that are on the disk when it is said so.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// What the directory of backups remembers the greatest fence in that made some there.
const FENCE: &str = ".fence";

/// The directory of all backups, held against others who make some.
pub(crate) struct Held {
    pub(super) path: PathBuf,
    /// Of the lock under which they are made, where there is one.
    fence: Option<u64>,
    _lock: File,
}

impl Held {
    /// Refuses whoever was taken for gone, once another has gone on with backups.
    pub(super) fn check(&self) -> Result<()> {
        let known = fence(&self.path)?;
        if let Some(own) = self.fence.filter(|own| *own < known) {
            bail!(
                "another replica makes the backups in {} since (fence {known}, and this one's is {own}); it goes on with them",
                self.path.display()
            );
        }
        Ok(())
    }
}

/// The same as [`hold`] under a lock of all replicas, whose fence is remembered there.
pub(super) fn hold_under(path: &Path, fence: Option<u64>) -> Result<Held> {
    let held = Held { fence, ..hold(path)? };
    held.check()?;
    if let Some(fence) = fence {
        let next = path.join(format!("{FENCE}.next"));
        private_file(&next)?.write_all(fence.to_string().as_bytes())?;
        keep(&next)?;
        fs::rename(&next, path.join(FENCE))?;
        sync(path)?;
    }
    Ok(held)
}

/// The greatest fence that was seen in a directory of backups.
fn fence(path: &Path) -> Result<u64> {
    let file = path.join(FENCE);
    match fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().with_context(|| format!("{} is no number", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// Takes a directory of backups, which is made when it is missing.
pub(super) fn hold(path: &Path) -> Result<Held> {
    fs::create_dir_all(path).with_context(|| format!("{} cannot be made", path.display()))?;
    let lock = private_file(&path.join(".lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Held { path: path.to_owned(), fence: None, _lock: lock }),
        Err(fs::TryLockError::WouldBlock) => {
            bail!("another backup is being made in {}; wait for it", path.display())
        }
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be held", path.display()))
        }
    }
}

/// Makes a directory that its owner alone can enter.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().mode(0o700).create(path);
    made.with_context(|| format!("{} cannot be made", path.display()))
}

/// Opens a file to be written that its owner alone can read.
pub(super) fn private_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).with_context(|| format!("{} cannot be written", path.display()))
}

/// Keeps a file from everybody else, and brings it to the disk.
pub(super) fn keep(path: &Path) -> Result<()> {
    let kept = || -> std::io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        File::open(path)?.sync_all()
    };
    kept().with_context(|| format!("{} cannot be brought to the disk", path.display()))
}

/// Brings a directory's own entries to the disk.
pub(crate) fn sync(directory: &Path) -> Result<()> {
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.with_context(|| format!("{} cannot be brought to the disk", directory.display()))
}

/// The directory that something stands in.
pub(crate) fn directory(of: &Path) -> &Path {
    match of.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Copies a file, kept from everybody else and brought to the disk; says the SHA-256 of what was read.
pub(crate) fn copy_private(from: &Path, to: &Path) -> Result<String> {
    let mut source =
        File::open(from).with_context(|| format!("{} cannot be read", from.display()))?;
    let mut target = private_file(to)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
    }
    target.sync_all().with_context(|| format!("{} cannot be brought to the disk", to.display()))?;
    Ok(hex(&hash.finalize()))
}

/// The size of a file and its SHA-256.
pub(super) fn digest(path: &Path) -> Result<(u64, String)> {
    let mut file =
        File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut hash)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Ok((bytes, hex(&hash.finalize())))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_taken_for_gone_neither_begins_nor_names_a_backup_once_another_has_gone_on() {
        let place = tempfile::tempdir().unwrap();

        let slow = hold_under(place.path(), Some(7)).unwrap();
        assert!(slow.check().is_ok());
        // As where its file system forgets who holds a file.
        fs::remove_file(place.path().join(".lock")).unwrap();
        let next = hold_under(place.path(), Some(9)).unwrap();

        let refused = slow.check().unwrap_err().to_string();
        assert!(refused.contains("fence 9, and this one's is 7"), "{refused}");
        drop(next);
        assert!(hold_under(place.path(), Some(8)).is_err());
        assert!(hold_under(place.path(), None).is_ok(), "a person's own is not fenced");
        assert!(hold_under(place.path(), Some(9)).is_ok());
    }
}
