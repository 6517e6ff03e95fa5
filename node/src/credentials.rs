//! Who is signed in to which mesh: kept in a file that its owner alone can read.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use mesh::{Clock, Status, async_trait, clock};
use serde::{Deserialize, Serialize};
use tradewind::users::v1::Tokens;
use tradewind_client::{Client, TokenSource, session};

/// Where the file is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Credentials {
    /// Where people keep their configuration; `~/.config` when it is not said.
    #[arg(long, env = "XDG_CONFIG_HOME", hide = true)]
    config_home: Option<PathBuf>,
}

/// Which account a command means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) project: String,
}

/// Someone who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Account {
    url: String,
    project: String,
    email: String,
    access_token: String,
    /// Microseconds since 1970.
    expires: i64,
    refresh_token: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Accounts {
    #[serde(default, rename = "account")]
    accounts: Vec<Account>,
}

/// The file, held against other commands.
struct Held {
    path: PathBuf,
    _lock: File,
}

impl Credentials {
    /// Keeps who has signed in, in the place of whoever was.
    pub(crate) async fn keep(&self, at: &Place, email: &str, tokens: &Tokens) -> Result<()> {
        let held = self.hold().await?;
        let mut all = held.read()?;
        all.accounts.retain(|account| !account.is_at(at));
        let mut account = Account {
            url: at.url.clone(),
            project: at.project.clone(),
            email: email.to_owned(),
            access_token: String::new(),
            expires: 0,
            refresh_token: String::new(),
        };
        account.take(tokens);
        all.accounts.push(account);
        held.write(&all)
    }

    /// Forgets who is signed in; their address, if anyone was.
    pub(crate) async fn forget(&self, at: &Place) -> Result<Option<String>> {
        let held = self.hold().await?;
        let mut all = held.read()?;
        let found = all.accounts.iter().position(|account| account.is_at(at));
        let Some(found) = found else { return Ok(None) };
        let account = all.accounts.remove(found);
        held.write(&all)?;
        Ok(Some(account.email))
    }

    /// Who is signed in.
    pub(crate) async fn who(&self, at: &Place) -> Result<Option<String>> {
        let all = self.hold().await?.read()?;
        Ok(all.accounts.into_iter().find(|account| account.is_at(at)).map(|it| it.email))
    }

    /// Where in a mesh someone is signed in.
    pub(crate) async fn places(&self, url: &str) -> Result<Vec<Place>> {
        let all = self.hold().await?.read()?.accounts.into_iter();
        let there = all.filter(|account| account.url == url);
        Ok(there.map(|account| Place { url: account.url, project: account.project }).collect())
    }

    /// The file, once no other command has it: a refresh token is good once.
    async fn hold(&self) -> Result<Held> {
        let home = self.config_home.clone().or_else(|| Some(std::env::home_dir()?.join(".config")));
        let folder = home.context("there is no home to keep it in; set XDG_CONFIG_HOME")?;
        let folder = folder.join("tradewind");
        let held = tokio::task::spawn_blocking(move || hold(&folder)).await?;
        held.context("who is signed in cannot be kept")
    }
}

fn hold(folder: &Path) -> Result<Held> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let lock = private(&folder.join("credentials.lock"))?;
    lock.lock()?;
    Ok(Held { path: folder.join("credentials.toml"), _lock: lock })
}

/// A file that its owner alone can read.
fn private(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).with_context(|| format!("{} cannot be written", path.display()))
}

impl Held {
    fn read(&self) -> Result<Accounts> {
        let path = self.path.display();
        match fs::read_to_string(&self.path) {
            Ok(text) => toml::from_str(&text)
                .with_context(|| format!("{path} is damaged; remove it and sign in again")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Accounts::default()),
            Err(error) => Err(error).with_context(|| format!("{path} cannot be read")),
        }
    }

    fn write(&self, accounts: &Accounts) -> Result<()> {
        // Beside it and then in its place: a command that is killed leaves the old one whole.
        let beside = self.path.with_extension("toml.new");
        let mut file = private(&beside)?;
        file.write_all(toml::to_string(accounts)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        Ok(())
    }
}

impl Account {
    fn is_at(&self, at: &Place) -> bool {
        self.url == at.url && self.project == at.project
    }

    fn take(&mut self, tokens: &Tokens) {
        self.access_token.clone_from(&tokens.access_token);
        self.refresh_token.clone_from(&tokens.refresh_token);
        self.expires = tokens.expire_time.as_ref().map_or(0, clock::micros);
    }

    fn tokens(&self) -> Tokens {
        Tokens {
            access_token: self.access_token.clone(),
            expire_time: Some(clock::timestamp(self.expires)),
            refresh_token: self.refresh_token.clone(),
            ..Tokens::default()
        }
    }
}

/// The tokens of whoever is signed in, refreshed in the file.
pub(crate) struct Kept {
    pub(crate) credentials: Credentials,
    pub(crate) at: Place,
    pub(crate) anyone: Client,
}

impl Kept {
    async fn good(&self) -> Result<Arc<str>> {
        let held = self.credentials.hold().await?;
        let mut all = held.read()?;
        let account = all.accounts.iter_mut().find(|account| account.is_at(&self.at));
        let account = account.context("nobody is signed in any more")?;
        let tokens = account.tokens();
        if !session::is_ending(&tokens, &Clock::system()) {
            return Ok(tokens.access_token.into());
        }
        let next = session::refreshed(&self.anyone, &tokens).await?;
        account.take(&next);
        held.write(&all)?;
        Ok(next.access_token.into())
    }
}

#[async_trait]
impl TokenSource for Kept {
    async fn token(&self) -> Result<Arc<str>, Status> {
        self.good().await.map_err(|error| match error.downcast::<Status>() {
            Ok(status) => status,
            Err(error) => Status::failed_precondition(format!("{error:#}")),
        })
    }
}
