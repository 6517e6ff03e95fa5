//! `tradewind tasks`: what services have still to do, for who looks after them.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Subcommand, ValueEnum};
use contract::mesh::v1::task::State;
use contract::mesh::v1::tasks_service_client::TasksServiceClient;
use contract::mesh::v1::{
    DiscardTaskRequest, GetTaskRequest, ListTasksRequest, RetryTaskRequest, RetryTasksRequest, Task,
};
use mesh::{Channel, Code, Status};

use crate::compose::Noun;
use crate::connect::{self, Account, Target, said};
use crate::say;

/// What `tasks` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists tasks that are not done: of one service, or of all.
    List(ListArguments),
    /// Shows one task with what it is told, and why it failed.
    Show(OneArguments),
    /// Lets a task that was given up be tried again, or all of a kind.
    Retry(RetryArguments),
    /// Removes a task that was given up, for good; the audit log keeps that it was.
    Discard(OneArguments),
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    /// The service, such as `orders`; all when none is named.
    #[arg(value_name = "SERVICE")]
    service: Option<Noun>,
    /// Only those in this state.
    #[arg(long, value_enum)]
    state: Option<Shown>,
    /// Only those of this kind, such as `send_mail`.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// At most so many of each service.
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    most: usize,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

#[derive(Debug, clap::Args)]
struct OneArguments {
    /// The service that has it.
    #[arg(value_name = "SERVICE")]
    service: Noun,
    /// Its id, as `tasks list` says it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

#[derive(Debug, clap::Args)]
struct RetryArguments {
    /// The service that has it.
    #[arg(value_name = "SERVICE")]
    service: Noun,
    /// Its id, as `tasks list` says it.
    #[arg(value_name = "ID", required_unless_present = "kind", conflicts_with = "kind")]
    id: Option<String>,
    /// All of this kind that were given up, in the place of one.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

/// The states by the words that people type.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shown {
    Waiting,
    Running,
    Dead,
}

impl Shown {
    fn state(self) -> State {
        match self {
            Self::Waiting => State::Waiting,
            Self::Running => State::Running,
            Self::Dead => State::Dead,
        }
    }
}

type Tasks = TasksServiceClient<Channel>;

/// Does what the command says.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(&arguments).await,
        Command::Show(arguments) => show(&arguments).await,
        Command::Retry(arguments) => retry(arguments).await,
        Command::Discard(arguments) => discard(&arguments).await,
    }
}

async fn open(target: &Target, account: &Account) -> Result<Tasks> {
    let place = target.place();
    let client = connect::open(&place).await?;
    let client = connect::sign_in(&client, &place, account).await?;
    Ok(TasksServiceClient::new(client.channel()))
}

async fn list(arguments: &ListArguments) -> Result<ExitCode> {
    let mut client = open(&arguments.target, &arguments.account).await?;
    let services = match arguments.service {
        Some(service) => vec![service],
        None => Noun::ALL.into_iter().filter(|noun| *noun != Noun::Gateway).collect(),
    };
    let mut rows = Vec::new();
    let mut more = Vec::new();
    for service in services {
        let (tasks, left) = tasks_of(&mut client, service.name(), arguments).await?;
        rows.extend(tasks.iter().map(|task| line(service.name(), task)));
        more.extend(left.then_some(service.name()));
    }
    if rows.is_empty() {
        say("nothing is left to do");
        return Ok(ExitCode::SUCCESS);
    }
    say(&table(&rows));
    for service in more {
        say(&format!("there are more of {service}: raise --most, or narrow by --kind and --state"));
    }
    Ok(ExitCode::SUCCESS)
}

/// As many tasks of a service as are wanted, and whether there are more.
async fn tasks_of(
    client: &mut Tasks,
    service: &str,
    arguments: &ListArguments,
) -> Result<(Vec<Task>, bool)> {
    let mut request = ListTasksRequest {
        service: service.to_owned(),
        kind: arguments.kind.clone().unwrap_or_default(),
        state: arguments.state.map_or(State::Unspecified, Shown::state).into(),
        ..ListTasksRequest::default()
    };
    let mut tasks = Vec::new();
    loop {
        let wanted = arguments.most.saturating_sub(tasks.len()).min(1000);
        request.page_size = i32::try_from(wanted.max(1))?;
        let page = client.list_tasks(request.clone()).await.map_err(said)?.into_inner();
        tasks.extend(page.tasks);
        let more = !page.next_page_token.is_empty();
        if !more || tasks.len() >= arguments.most {
            return Ok((tasks, more));
        }
        request.page_token = page.next_page_token;
    }
}

async fn show(arguments: &OneArguments) -> Result<ExitCode> {
    let mut client = open(&arguments.target, &arguments.account).await?;
    let service = arguments.service.name();
    let request = GetTaskRequest { service: service.to_owned(), id: arguments.id.clone() };
    let task = client.get_task(request).await.map_err(|status| missing(service, status))?;
    let task = task.into_inner();
    let id = &task.id;
    let told = |value: &str| if value.is_empty() { "–".to_owned() } else { value.to_owned() };
    for (name, value) in [
        ("task", id.clone()),
        ("service", service.to_owned()),
        ("kind", task.kind.clone()),
        ("state", state(&task).to_owned()),
        ("attempts", task.attempts.to_string()),
        ("error", told(&task.error)),
        ("asked for", time(task.create_time.as_ref())),
        ("due", time(task.due_time.as_ref())),
        ("on behalf of", told(&task.subject)),
        ("trace", told(&task.trace_id)),
        ("payload", task.payload.clone()),
    ] {
        say(&format!("{name:<14}{value}"));
    }
    if task.state() == State::Dead {
        say(&format!("\nonce what it failed on is mended:  tradewind tasks retry {service} {id}"));
        say(&format!("if it must not happen any more:    tradewind tasks discard {service} {id}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn retry(arguments: RetryArguments) -> Result<ExitCode> {
    let mut client = open(&arguments.target, &arguments.account).await?;
    let service = arguments.service.name();
    if let Some(kind) = arguments.kind {
        let request = RetryTasksRequest { service: service.to_owned(), kind: kind.clone() };
        let retried = client.retry_tasks(request).await.map_err(said)?.into_inner().retried;
        ensure!(
            retried > 0,
            "{service} has given up no task of kind {kind}; `tradewind tasks list {service} --state dead` says what it has"
        );
        say(&format!("{retried} tasks of kind {kind} are tried again"));
        return Ok(ExitCode::SUCCESS);
    }
    let id = arguments.id.context("say which task: its id, or --kind for all of a kind")?;
    let request = RetryTaskRequest { service: service.to_owned(), id };
    let task = client.retry_task(request).await.map_err(|status| missing(service, status))?;
    say(&format!("{} is tried again", task.into_inner().id));
    Ok(ExitCode::SUCCESS)
}

async fn discard(arguments: &OneArguments) -> Result<ExitCode> {
    let mut client = open(&arguments.target, &arguments.account).await?;
    let service = arguments.service.name();
    let request = DiscardTaskRequest { service: service.to_owned(), id: arguments.id.clone() };
    let task = client.discard_task(request).await.map_err(|status| missing(service, status))?;
    let task = task.into_inner();
    say(&format!("{} is discarded; it was of kind {}: {}", task.id, task.kind, task.payload));
    Ok(ExitCode::SUCCESS)
}

/// A refused call, and what to look at where the task is not there.
fn missing(service: &str, status: Status) -> anyhow::Error {
    let is_missing = status.code() == Code::NotFound;
    let error = said(status);
    if is_missing {
        error.context(format!(
            "{service} has no such task: it may be done by now; `tradewind tasks list {service}` says what it has"
        ))
    } else {
        error
    }
}

fn line(service: &str, task: &Task) -> [String; 7] {
    [
        task.id.clone(),
        service.to_owned(),
        task.kind.clone(),
        state(task).to_owned(),
        task.attempts.to_string(),
        time(task.due_time.as_ref()),
        task.error.lines().next().unwrap_or_default().to_owned(),
    ]
}

/// Lines with a head, each column as wide as it must be.
fn table(rows: &[[String; 7]]) -> String {
    let head = ["ID", "SERVICE", "KIND", "STATE", "TRIED", "DUE", "LAST ERROR"].map(str::to_owned);
    let all = || std::iter::once(&head).chain(rows);
    let widths: [usize; 7] = std::array::from_fn(|column| {
        all().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let lines = all().map(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn state(task: &Task) -> &'static str {
    match task.state() {
        State::Unspecified => "unknown",
        State::Waiting => "waiting",
        State::Running => "running",
        State::Dead => "dead",
    }
}

/// A time to the second.
fn time(at: Option<&prost_types::Timestamp>) -> String {
    let whole = at.map(|at| prost_types::Timestamp { seconds: at.seconds, nanos: 0 });
    whole.map_or_else(|| "–".into(), |at| at.to_string())
}
