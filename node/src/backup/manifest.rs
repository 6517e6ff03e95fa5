//! What a backup says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::backup::Contents;

use super::files;
use crate::compose::Noun;

/// The one form of manifests that this version writes and reads.
const FORMAT: u32 = 1;
/// What it is called in every backup.
const FILE: &str = "manifest.json";

/// Which database a backup is of, and can be brought back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EngineName {
    Sqlite,
    Postgresql,
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// The version of the program that made it.
    pub(crate) tradewind: String,
    pub(crate) engine: EngineName,
    /// When it was begun, UTC.
    pub(crate) time: String,
    /// Of a PostgreSQL server, such as 170005.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_version: Option<i32>,
    /// All are as they were at one moment.
    pub(crate) services: Vec<Copied>,
    /// SHA-256 over all the rest.
    seal: String,
}

/// What a backup has of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// The migrations that its tables have run, oldest first.
    pub(crate) migrations: Vec<String>,
    /// Those that a version must know to work with its tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<String>,
    /// How many rows each table has.
    pub(crate) rows: BTreeMap<String, i64>,
}

/// What can be read of any manifest, however old or new.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

impl Manifest {
    pub(super) fn new(engine: EngineName, time: String, server_version: Option<i32>) -> Self {
        Self {
            format: FORMAT,
            tradewind: env!("CARGO_PKG_VERSION").to_owned(),
            engine,
            time,
            server_version,
            services: Vec::new(),
            seal: String::new(),
        }
    }

    /// Reads the manifest of a backup, and refuses one that is not as it was written.
    pub(crate) fn read(backup: &Path) -> Result<Self> {
        let path = backup.join(FILE);
        let shown = path.display();
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{shown} cannot be read; a backup is a directory with a {FILE}")
        })?;
        let form: Form = serde_json::from_str(&text)
            .with_context(|| format!("{shown} is damaged: it is no manifest"))?;
        if form.format != FORMAT {
            bail!(
                "{shown} has format {}, and this version of tradewind reads format {FORMAT}: use the version that \
                 made it",
                form.format
            );
        }
        let manifest: Self = serde_json::from_str(&text)
            .with_context(|| format!("{shown} is damaged: it is no manifest"))?;
        let seal = manifest.sealed()?.seal;
        ensure!(
            manifest.seal == seal,
            "{shown} is damaged: its seal is {}, and should be {seal}",
            manifest.seal
        );
        manifest.refuse_contracted(backup)?;
        Ok(manifest)
    }

    /// Writes it into a backup that is being made, and brings it to the disk.
    pub(super) fn write(self, backup: &Path) -> Result<Self> {
        let sealed = self.sealed()?;
        let path = backup.join(FILE);
        let mut file = files::private_file(&path)?;
        file.write_all(serde_json::to_string_pretty(&sealed)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(sealed)
    }

    fn sealed(&self) -> Result<Self> {
        let open = Self { seal: String::new(), ..self.clone() };
        let seal = files::hex(&Sha256::digest(serde_json::to_vec(&open)?));
        Ok(Self { seal, ..open })
    }

    /// Refuses tables from which something was taken that this version works with. Those that have only grown since
    /// it was built are no trouble to it: so are backups good that are made after the way back from a newer one.
    fn refuse_contracted(&self, backup: &Path) -> Result<()> {
        for service in &self.services {
            let noun: Noun = service.name.parse()?;
            let known = store::backup::migration_names(noun.migrations().unwrap_or_default());
            if let Some(unknown) = service.needs.iter().find(|it| !known.contains(&it.as_str())) {
                bail!(
                    "{}: something was taken from the tables of {} that versions work with which do not know {unknown}, \
                     and this one does not: use the version that made it ({}) or a later one",
                    backup.display(),
                    service.name,
                    self.tradewind
                );
            }
        }
        Ok(())
    }

    /// What a person wants to know of it first.
    pub(crate) fn summary(&self) -> String {
        let bytes: u64 = self.services.iter().map(|service| service.bytes).sum();
        let rows: i64 = self.services.iter().flat_map(|service| service.rows.values()).sum();
        let services: Vec<_> = self.services.iter().map(|service| service.name.as_str()).collect();
        let services = services.join(", ");
        format!("backup of {}, {rows} rows in {bytes} bytes: {services}", self.time)
    }
}

impl Copied {
    /// Says of a copied file what it is.
    pub(super) fn of(name: &str, path: &Path, contents: Contents) -> Result<Self> {
        let (bytes, sha256) = files::digest(path)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Contents { migrations, needs, rows } = contents;
        Ok(Self { name: name.to_owned(), file, bytes, sha256, migrations, needs, rows })
    }

    /// Refuses a copy of which something else was found.
    pub(crate) fn compare(&self, place: &Path, found: &Contents) -> Result<()> {
        let shown = place.display();
        ensure!(
            found.migrations == self.migrations && found.needs == self.needs,
            "{shown} is not what was written: it has run other migrations than the manifest says"
        );
        for (table, count) in &self.rows {
            let is = found.rows.get(table).copied().unwrap_or(0);
            ensure!(
                is == *count,
                "{shown} is not what was written: {table} has {is} rows, and the manifest says {count}"
            );
        }
        ensure!(
            found.rows.len() == self.rows.len(),
            "{shown} has tables that the manifest does not"
        );
        Ok(())
    }
}
