//! How commands reach a running mesh: by gRPC at its gateway, signed in.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use mesh::Status;
use mesh::caller::DEFAULT_PROJECT;
use tradewind_client::{Client, Session};

use crate::credentials::{Credentials, Kept, Place};

/// Where a mesh is when nothing is said.
pub(crate) const URL: &str = "http://127.0.0.1:8080";

/// Which mesh, and which of its projects.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Mesh")]
pub(crate) struct Target {
    /// The gateway of a running mesh.
    #[arg(long, env = "TRADEWIND_URL", default_value = URL, value_name = "URL")]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) project: Project,
}

/// Which project of a mesh.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Mesh")]
pub(crate) struct Project {
    /// The project of the account.
    #[arg(long, env = "TRADEWIND_PROJECT", default_value = DEFAULT_PROJECT, value_name = "NAME")]
    pub(crate) project: String,
}

/// Who speaks to a mesh; whoever has signed in when nobody is named.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct Account {
    /// The account that the command works as. Without one, whoever has signed in with `tradewind login`.
    #[arg(long, env = "TRADEWIND_EMAIL", value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// Its password. Better by `TRADEWIND_PASSWORD`: other users of a machine can read flags.
    #[arg(long, env = "TRADEWIND_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
}

impl Target {
    pub(crate) fn place(&self) -> Place {
        Place {
            url: self.url.trim_end_matches('/').to_owned(),
            project: self.project.project.clone(),
        }
    }
}

/// A mesh, for nobody.
pub(crate) async fn open(place: &Place) -> Result<Client> {
    let client = Client::connect(&place.url)
        .await
        .with_context(|| {
            let url = &place.url;
            format!("{url} cannot be called; start a mesh with `tradewind serve`, or name another with --url")
        })?;
    Ok(client.in_project(&place.project))
}

/// The same mesh, for an account that is named, or for whoever has signed in.
pub(crate) async fn sign_in(anyone: &Client, place: &Place, account: &Account) -> Result<Client> {
    let credentials = &account.credentials;
    let tokens: Arc<dyn tradewind_client::TokenSource> = match (&account.email, &account.password) {
        (Some(email), Some(password)) => {
            let session = Session::log_in(anyone, email, password).await.map_err(said);
            Arc::new(session.with_context(|| format!("{email} cannot sign in"))?)
        }
        (email, None) => {
            let who = credentials.who(place).await?;
            match (email, who) {
                (None, Some(_)) => {}
                (Some(email), Some(who)) if *email == who => {}
                (email, _) => bail!(not_signed_in(place, email.as_deref())),
            }
            Arc::new(Kept {
                credentials: credentials.clone(),
                at: place.clone(),
                anyone: anyone.clone(),
            })
        }
        (None, Some(_)) => bail!("a password is given without the account: say it with --email"),
    };
    Ok(anyone.signed_in(tokens))
}

/// What to do where nobody is signed in.
fn not_signed_in(place: &Place, email: Option<&str>) -> String {
    let Place { url, project } = place;
    let who = email.unwrap_or("nobody");
    let not = if email.is_some() { "not " } else { "" };
    format!(
        "{who} is {not}signed in at {url}, project {project}: sign in with `tradewind login --url {url} --project {project} --email {}`, \
         or give the account by TRADEWIND_EMAIL and TRADEWIND_PASSWORD",
        email.unwrap_or("ADDRESS")
    )
}

/// A refused call, as people read it.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
pub(crate) fn said(status: Status) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", mesh::metrics::status_name(status.code()), status.message())
}
