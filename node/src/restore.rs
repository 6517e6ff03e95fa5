//! `tradewind restore`: what services remember, brought back from a backup.
//!
//! Invariant: what is there is left alone until all of the backup was read and found good, and is put
//! aside, never removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use mesh::Clock;
use store::backup::{
    change_file, change_schema, check_file, contents, drop_schemas, filled_schemas, rename_schemas,
};

use crate::backup::{
    Address, EngineName, Manifest, Programs, Remembered, Source, copy_private, directory,
    private_directory, sync, verify,
};
use crate::say;

/// What `restore` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The backup: a directory with a `manifest.json`.
    #[arg(value_name = "BACKUP")]
    from: PathBuf,
    /// Puts aside what is there already, which is refused otherwise.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    remembered: Remembered,
}

/// Brings a backup back.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { from, replace, remembered } = arguments;
    let source = remembered.source();
    let aside = match &source {
        Source::Files { data, programs } => {
            refuse_used(data, replace)?;
            let manifest = verify(&from, programs).await?;
            files(&manifest, &from, data).await?
        }
        Source::Server { address, programs } => server(&from, address, programs, replace).await?,
    };
    say(&Manifest::read(&from)?.summary());
    say("  is restored");
    if let Some(aside) = aside {
        say(&format!("  what was there is {aside}; remove it when it is not needed any more"));
    }
    say(
        "  next: start the services, then `tradewind audit` names what the backup does not know of",
    );
    Ok(ExitCode::SUCCESS)
}

/// Refuses a directory that holds something, or that a process works on.
fn refuse_used(data: &Path, replace: bool) -> Result<()> {
    let shown = data.display();
    let is_empty = match fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
    };
    ensure!(
        is_empty || replace,
        "{shown} is not empty: name another directory with --data, or put aside what is there with --replace"
    );
    if let Some(file) = in_use(data) {
        bail!(
            "{} is open in another process: stop whatever serves from {shown} first",
            file.display()
        );
    }
    Ok(())
}

/// A database that a process has open: with a WAL it holds a lock for as long. Only Linux tells of locks.
fn in_use(data: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // A line is like `1: POSIX ADVISORY READ 4711 08:01:131076 0 EOF`, with device and inode.
    let locked = |inode: u64| {
        let mut places = locks.lines().filter_map(|line| line.split_whitespace().nth(5));
        places.any(|place| place.rsplit(':').next() == Some(inode.to_string().as_str()))
    };
    let databases = fs::read_dir(data).ok()?.flatten().map(|entry| entry.path());
    let mut databases = databases.filter(|path| path.extension().is_some_and(|it| it == "db"));
    databases.find(|path| fs::metadata(path).is_ok_and(|file| locked(file.ino())))
}

/// Brings SQLite files back: beside the directory first, and in its place at last.
async fn files(manifest: &Manifest, from: &Path, data: &Path) -> Result<Option<String>> {
    ensure!(
        manifest.engine == EngineName::Sqlite,
        "{} is of a PostgreSQL database: name one with --database",
        from.display()
    );
    let data = &std::path::absolute(data)?;
    let (beside, before) = (beside(data, "restoring"), beside(data, "before"));
    let parent = directory(data);
    fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    let _ = fs::remove_dir_all(&beside);
    private_directory(&beside)?;
    if let Err(error) = fill(manifest, from, &beside).await {
        let _ = fs::remove_dir_all(&beside);
        return Err(error);
    }
    let aside = put_aside(data, &before)?;
    let placed = fs::rename(&beside, data);
    if placed.is_err() && aside {
        // Nothing is there meanwhile: whoever starts now must find what was.
        fs::rename(&before, data)?;
    }
    placed.with_context(|| format!("{} cannot be put in its place", beside.display()))?;
    sync(parent)?;
    Ok(aside.then(|| before.display().to_string()))
}

/// A directory beside another, named for it and for now.
fn beside(data: &Path, word: &str) -> PathBuf {
    let name = data.file_name().unwrap_or_default().to_string_lossy().into_owned();
    data.with_file_name(format!("{name}.{word}-{}", stamp()))
}

/// The time, as names have it.
fn stamp() -> String {
    let now = Clock::system().now().to_string();
    now.chars().filter(char::is_ascii_digit).take(14).collect()
}

async fn fill(manifest: &Manifest, from: &Path, beside: &Path) -> Result<()> {
    for copied in &manifest.services {
        let (source, target) = (from.join(&copied.file), beside.join(&copied.file));
        let sha256 = copy_private(&source, &target)?;
        ensure!(sha256 == copied.sha256, "{} has changed since it was verified", source.display());
        copied.compare(&target, &check_file(&target).await?)?;
        if let Some(sql) = restored(&copied.name) {
            change_file(&target, sql).await?;
        }
    }
    sync(beside)
}

/// What a service's database is told once it was brought back.
fn restored(service: &str) -> Option<&'static str> {
    (service == catalog::NAME).then_some(catalog::RESTORED)
}

fn put_aside(data: &Path, before: &Path) -> Result<bool> {
    if !data.exists() {
        return Ok(false);
    }
    if fs::remove_dir(data).is_ok() {
        // It was empty.
        return Ok(false);
    }
    fs::rename(data, before)
        .with_context(|| format!("{} cannot be put aside; is it a mount point?", data.display()))?;
    Ok(true)
}

/// Brings PostgreSQL schemas back, each in one transaction.
async fn server(
    from: &Path,
    address: &Address,
    programs: &Programs,
    replace: bool,
) -> Result<Option<String>> {
    let manifest = Manifest::read(from)?;
    ensure!(
        manifest.engine == EngineName::Postgresql,
        "{} is of SQLite files: name a directory with --data, and no --database",
        from.display()
    );
    let names: Vec<_> = manifest.services.iter().map(|service| service.name.as_str()).collect();
    let there = filled_schemas(address.url(), &names).await?;
    ensure!(
        there.is_empty() || replace,
        "the database has the schemas {} already: name an empty database, or put them aside with --replace",
        there.join(", ")
    );
    verify(from, programs).await?;
    let stamp = stamp();
    let aside: Vec<_> =
        there.iter().map(|name| (name.clone(), format!("{name}_before_{stamp}"))).collect();
    rename_schemas(address.url(), &aside).await?;
    if let Err(error) = refill(&manifest, from, address, programs).await {
        drop_schemas(address.url(), &names).await?;
        let back: Vec<_> = aside.into_iter().map(|(name, aside)| (aside, name)).collect();
        rename_schemas(address.url(), &back).await?;
        return Err(error.context("everything is as it was"));
    }
    let aside: Vec<_> = aside.into_iter().map(|(_, aside)| aside).collect();
    Ok((!aside.is_empty()).then(|| format!("in the schemas {}", aside.join(", "))))
}

async fn refill(
    manifest: &Manifest,
    from: &Path,
    address: &Address,
    programs: &Programs,
) -> Result<()> {
    let pg_restore = programs.restore().await?;
    for copied in &manifest.services {
        let file = from.join(&copied.file);
        pg_restore.restore(address, &file).await?;
        let found = contents(address.url(), &copied.name).await?.unwrap_or_default();
        copied.compare(&file, &found)?;
        if let Some(sql) = restored(&copied.name) {
            change_schema(address.url(), &copied.name, sql).await?;
        }
    }
    Ok(())
}
