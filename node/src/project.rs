//! `tradewind project`: the projects of a mesh, for who manages it.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use tradewind::money::v1::Money;
use tradewind::users::v1::{CreateProjectRequest, ListProjectsRequest, Project};

use crate::connect::{self, Account, Target, said};
use crate::say;

/// What `project` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a project with an administrator, and says the administrator's one-time password.
    ///
    /// It works as a superadmin of the mesh, who is signed in or named: the first administrator is one.
    /// A repeat says another one-time password, as long as none was used.
    Create(CreateArguments),
    /// Lists the projects of the mesh.
    List(ListArguments),
}

#[derive(Debug, clap::Args)]
struct CreateArguments {
    /// What the project is called for ever: small letters, digits and hyphens, such as `bakery`.
    name: String,
    /// What it sells in, ISO 4217.
    #[arg(long, value_name = "CODE")]
    currency: String,
    /// Whom its administrator is reached by.
    #[arg(long, value_name = "ADDRESS")]
    admin: String,
    /// What customers know it by; NAME when it is not said.
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

/// Does what the command says.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Create(arguments) => create(arguments).await,
        Command::List(arguments) => list(arguments).await,
    }
}

async fn create(arguments: CreateArguments) -> Result<ExitCode> {
    let place = arguments.target.place();
    let client = connect::open(&place).await?;
    let client = connect::sign_in(&client, &place, &arguments.account).await?;
    let name = arguments.name;
    let project = Project {
        display_name: arguments.display_name.unwrap_or_else(|| name.clone()),
        shipping_rate: Some(Money::new(0, &arguments.currency)),
        currency_code: arguments.currency,
        contact_email: arguments.admin.clone(),
        ..Project::default()
    };
    let request = CreateProjectRequest {
        project_id: name.clone(),
        project: Some(project),
        admin_email: arguments.admin.clone(),
    };
    let made = client.users().create_project(request).await.map_err(said);
    let made = made.with_context(|| format!("{name} could not be made"))?.into_inner();
    let (admin, url) = (arguments.admin, place.url);
    let until = made.expire_time.unwrap_or_default();
    say(&format!("project {name}"));
    say(&format!("  administrator      {admin}"));
    say(&format!(
        "  one-time password  {}   (said once; good until {until})",
        made.one_time_password
    ));
    say(&format!("  publishable key    {}", made.publishable_key));
    say(&format!(
        "  next               tradewind login --url {url} --project {name} --email {admin}"
    ));
    Ok(ExitCode::SUCCESS)
}

async fn list(arguments: ListArguments) -> Result<ExitCode> {
    let place = arguments.target.place();
    let client = connect::open(&place).await?;
    let client = connect::sign_in(&client, &place, &arguments.account).await?;
    let mut request = ListProjectsRequest { page_size: 1000, ..ListProjectsRequest::default() };
    loop {
        let page = client.users().list_projects(request.clone()).await.map_err(said)?.into_inner();
        for project in page.projects {
            say(&format!("{:<24} {}  {}", project.id, project.currency_code, project.display_name));
        }
        if page.next_page_token.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        request.page_token = page.next_page_token;
    }
}
