//! `tradewind sagas`: the processes of orders that are under way, for operators.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use prost_types::Timestamp;
use tradewind::orders::v1::saga::Waits;
use tradewind::orders::v1::saga_step::State;
use tradewind::orders::v1::{
    GetSagaRequest, ListSagasRequest, ResumeSagaRequest, Saga, SagaKind, SagaStep,
};
use tradewind_client::Client;

use crate::connect::{self, Account, Target, said};
use crate::say;

/// What `sagas` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists those that are under way in a project, the oldest first.
    List(ListArguments),
    /// Shows one, with its steps and what it waits for.
    Show(OneArguments),
    /// Has one go on now that waits for its next try, or that failed too often.
    Resume(OneArguments),
    /// Prints the steps of a kind of process, or of all, each with what takes it back.
    Steps {
        /// Such as `checkout`.
        kind: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    /// Only those that take longer than their kind may.
    #[arg(long)]
    stuck: bool,
    /// Only those of this order.
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

#[derive(Debug, clap::Args)]
struct OneArguments {
    /// What it is listed as.
    #[arg(value_name = "SAGA")]
    id: String,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

/// Does what the command says.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(arguments).await,
        Command::Show(OneArguments { id, target, account }) => {
            let client = client(&target, &account).await?;
            let saga = client.sagas().get_saga(GetSagaRequest { id }).await.map_err(said)?;
            show(&saga.into_inner());
            Ok(ExitCode::SUCCESS)
        }
        Command::Resume(OneArguments { id, target, account }) => {
            let client = client(&target, &account).await?;
            let saga = client.sagas().resume_saga(ResumeSagaRequest { id }).await.map_err(said)?;
            show(&saga.into_inner());
            Ok(ExitCode::SUCCESS)
        }
        Command::Steps { kind } => steps(kind.as_deref()),
    }
}

async fn client(target: &Target, account: &Account) -> Result<Client> {
    let place = target.place();
    let client = connect::open(&place).await?;
    connect::sign_in(&client, &place, account).await
}

async fn list(arguments: ListArguments) -> Result<ExitCode> {
    let client = client(&arguments.target, &arguments.account).await?;
    let mut request = ListSagasRequest {
        page_size: 1000,
        page_token: String::new(),
        order_id: arguments.order.unwrap_or_default(),
        stuck: arguments.stuck,
    };
    let mut count = 0;
    loop {
        let page = client.sagas().list_sagas(request.clone()).await.map_err(said)?.into_inner();
        count += page.sagas.len();
        page.sagas.iter().for_each(|saga| say(&line(saga)));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    say(&format!("{count} under way"));
    Ok(ExitCode::SUCCESS)
}

fn line(saga: &Saga) -> String {
    let stuck = if saga.stuck { "  STUCK" } else { "" };
    let begun = saga.steps.iter().rfind(|step| step.state() != State::ToDo);
    let at = begun.map_or("-", |step| &step.name);
    format!("{:<48} {:<12} {}{stuck}", saga.id, at, waits(saga))
}

/// Why a process is not further, and until when.
fn waits(saga: &Saga) -> String {
    let until = time(saga.until_time.as_ref());
    match saga.waits() {
        Waits::Running => format!("runs; nobody else goes on with it before {until}"),
        Waits::Retry => format!("a step failed; tried again at {until}"),
        Waits::Undecided => {
            format!("nobody knows yet what came of a payment or a refund; asked again at {until}")
        }
        Waits::Person => "failed too often; goes on when it is resumed".to_owned(),
        Waits::Unspecified => "not said".to_owned(),
    }
}

fn show(saga: &Saga) {
    let stuck = if saga.stuck { ", STUCK" } else { "" };
    say(&format!("{} of order {}{stuck}", saga.kind, saga.order_id));
    say(&format!("  began  {}", time(saga.create_time.as_ref())));
    say(&format!("  tries  {}", saga.tries));
    say(&format!("  waits  {}", waits(saga)));
    if !saga.error.is_empty() {
        say(&format!("  error  {}", saga.error));
    }
    for step in &saga.steps {
        let SagaStep { name, time: at, .. } = step;
        let state = step.state().as_str_name().trim_start_matches("STATE_").to_lowercase();
        say(&format!("  {name:<18} {state:<8} {}", time(at.as_ref())));
    }
}

fn time(time: Option<&Timestamp>) -> String {
    time.map(ToString::to_string).unwrap_or_default()
}

fn steps(kind: Option<&str>) -> Result<ExitCode> {
    let mut kinds = orders::kinds();
    if let Some(kind) = kind {
        let names: Vec<_> = kinds.iter().map(|kind| kind.name.clone()).collect();
        kinds.retain(|it| it.name == kind);
        kinds.first().with_context(|| {
            format!("there is no process `{kind}`; there are {}", names.join(", "))
        })?;
    }
    kinds.iter().for_each(table);
    Ok(ExitCode::SUCCESS)
}

fn table(kind: &SagaKind) {
    say(&format!("{}, stuck after {} minutes", kind.name, kind.limit_seconds / 60));
    for (position, step) in kind.steps.iter().enumerate() {
        say(&format!("  {}. {:<18} {}", position + 1, step.name, step.does));
        if !step.undo.is_empty() {
            say(&format!("     {:<18} {}", "undo", step.undo));
        }
    }
}
