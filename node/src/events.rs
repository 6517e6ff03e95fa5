//! `tradewind events`: what services have told each other, and have still to tell, for who looks after them.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Subcommand, ValueEnum};
use contract::mesh::v1::outbox_event::State;
use contract::mesh::v1::outbox_service_client::OutboxServiceClient;
use contract::mesh::v1::{
    DiscardOutboxEventRequest, GetOutboxEventRequest, ListOutboxEventsRequest, OutboxEvent,
    ReplayOutboxEventsRequest, RetryOutboxEventRequest,
};
use mesh::Channel;
use prost_types::Timestamp;

use crate::compose::Noun;
use crate::connect::{self, Account, Target, said};
use crate::say;

/// What `events` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists events, the newest first: of one service, or of all.
    List(ListArguments),
    /// Shows one event, and why it was refused.
    Show(OneArguments),
    /// Tries an event at once that was given up, and what waits behind it.
    Retry(OneArguments),
    /// Removes an event that was given up, for good: its consumer never has it. The audit log keeps that it was.
    Discard(OneArguments),
    /// Delivers to a service again what it was delivered since a time: what it needs whose database was restored from
    /// an older backup. It works as the superadmin of the mesh, in all projects; what the service still knows that it
    /// has had, it skips.
    Replay(ReplayArguments),
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    /// The service where they happened, such as `orders`; all when none is named.
    #[arg(value_name = "SERVICE")]
    service: Option<Noun>,
    /// Only those in this state.
    #[arg(long, value_enum)]
    state: Option<Shown>,
    /// Only those to this service.
    #[arg(long, value_name = "SERVICE")]
    consumer: Option<Noun>,
    /// Only those of this key, such as an order's id.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// At most so many of each service.
    #[arg(long, default_value_t = 50, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=1000))]
    most: i32,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

#[derive(Debug, clap::Args)]
struct OneArguments {
    /// The service where it happened.
    #[arg(value_name = "SERVICE")]
    service: Noun,
    /// Its place in that service's outbox, as `events list` says it.
    #[arg(value_name = "POSITION")]
    position: i64,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

#[derive(Debug, clap::Args)]
struct ReplayArguments {
    /// The service that shall have them again.
    #[arg(value_name = "CONSUMER")]
    consumer: Noun,
    /// Those that happened then or later, such as `2026-11-26T04:00:00Z`: when the backup was made, or before.
    #[arg(long, value_name = "TIME")]
    since: Timestamp,
    /// Only those that happened in this service; all when none is named.
    #[arg(long, value_name = "SERVICE")]
    service: Option<Noun>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    account: Account,
}

/// The states by the words that people type.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shown {
    Waiting,
    Delivered,
    Dead,
}

impl Shown {
    fn state(self) -> State {
        match self {
            Self::Waiting => State::Waiting,
            Self::Delivered => State::Delivered,
            Self::Dead => State::Dead,
        }
    }
}

type Outbox = OutboxServiceClient<Channel>;

/// Does what the command says.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(&arguments).await,
        Command::Show(arguments) => show(&arguments).await,
        Command::Retry(arguments) => retry(&arguments).await,
        Command::Discard(arguments) => discard(&arguments).await,
        Command::Replay(arguments) => replay(arguments).await,
    }
}

async fn open(target: &Target, account: &Account) -> Result<Outbox> {
    let place = target.place();
    let client = connect::open(&place).await?;
    let client = connect::sign_in(&client, &place, account).await?;
    Ok(OutboxServiceClient::new(client.channel()))
}

/// One service, or all that have an outbox.
fn services(named: Option<Noun>) -> Vec<Noun> {
    let all = || Noun::ALL.into_iter().filter(|noun| *noun != Noun::Gateway).collect();
    named.map_or_else(all, |noun| vec![noun])
}

async fn list(arguments: &ListArguments) -> Result<ExitCode> {
    let mut outbox = open(&arguments.target, &arguments.account).await?;
    let mut any = false;
    for service in services(arguments.service) {
        let request = ListOutboxEventsRequest {
            service: service.name().to_owned(),
            consumer: arguments.consumer.map_or("", Noun::name).to_owned(),
            state: arguments.state.map_or(State::Unspecified, Shown::state).into(),
            key: arguments.key.clone().unwrap_or_default(),
            page_size: arguments.most,
            page_token: String::new(),
        };
        let page = outbox.list_outbox_events(request).await.map_err(said)?.into_inner();
        for event in &page.events {
            any = true;
            say(&line(service.name(), event));
        }
        if !page.next_page_token.is_empty() {
            say(&format!(
                "there are more of {}: raise --most, or narrow by --consumer, --key and --state",
                service.name()
            ));
        }
    }
    if !any {
        say("there are no such events");
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(arguments: &OneArguments) -> Result<ExitCode> {
    let mut outbox = open(&arguments.target, &arguments.account).await?;
    let (service, position) = (arguments.service.name(), arguments.position);
    let request = GetOutboxEventRequest { service: service.to_owned(), position };
    let event = outbox.get_outbox_event(request).await.map_err(said)?.into_inner();
    let told = |value: &str| if value.is_empty() { "–".to_owned() } else { value.to_owned() };
    for (name, value) in [
        ("event", event.id.clone()),
        ("type", event.r#type.clone()),
        ("from", format!("{service}, at {position}")),
        ("to", event.consumer.clone()),
        ("key", event.key.clone()),
        ("state", state(&event).to_owned()),
        ("refused", event.attempts.to_string()),
        ("error", told(&event.error)),
        ("happened", time(event.create_time.as_ref())),
        ("due", time(event.due_time.as_ref())),
        ("delivered", time(event.deliver_time.as_ref())),
        ("on behalf of", told(&event.subject)),
        ("trace", told(&event.trace_id)),
        ("data", format!("{} bytes", event.data.len())),
    ] {
        say(&format!("{name:<14}{value}"));
    }
    if event.state() == State::Dead {
        say(&format!(
            "\nonce what it is refused for is mended:  tradewind events retry {service} {position}"
        ));
        say(&format!(
            "if it must not be had any more:         tradewind events discard {service} {position}"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn retry(arguments: &OneArguments) -> Result<ExitCode> {
    let mut outbox = open(&arguments.target, &arguments.account).await?;
    let (service, position) = (arguments.service.name().to_owned(), arguments.position);
    let request = RetryOutboxEventRequest { service, position };
    let event = outbox.retry_outbox_event(request).await.map_err(said)?.into_inner();
    let delivered = event.state() == State::Delivered;
    let told = if delivered { "was delivered already" } else { "is tried again" };
    say(&format!("{} to {} {told}", event.id, event.consumer));
    Ok(ExitCode::SUCCESS)
}

async fn discard(arguments: &OneArguments) -> Result<ExitCode> {
    let mut outbox = open(&arguments.target, &arguments.account).await?;
    let (service, position) = (arguments.service.name().to_owned(), arguments.position);
    let request = DiscardOutboxEventRequest { service, position };
    let event = outbox.discard_outbox_event(request).await.map_err(said)?.into_inner();
    let OutboxEvent { id, r#type, key, consumer, .. } = event;
    say(&format!("{id} is discarded; it was a {type} of {key}, and {consumer} will never have it"));
    Ok(ExitCode::SUCCESS)
}

async fn replay(arguments: ReplayArguments) -> Result<ExitCode> {
    let mut outbox = open(&arguments.target, &arguments.account).await?;
    let consumer = arguments.consumer.name();
    let consumes = arguments.consumer.consumes();
    ensure!(!consumes.is_empty(), "{consumer} consumes no events");
    for service in services(arguments.service) {
        let request = ReplayOutboxEventsRequest {
            service: service.name().to_owned(),
            consumer: consumer.to_owned(),
            since: Some(arguments.since),
        };
        let replayed = outbox.replay_outbox_events(request).await.map_err(said);
        let replayed = replayed.with_context(|| service.name())?.into_inner().replayed;
        if replayed > 0 {
            say(&format!("{consumer} has {replayed} events of {} again", service.name()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(service: &str, event: &OutboxEvent) -> String {
    let OutboxEvent { position, consumer, r#type, key, attempts, .. } = event;
    let (state, name) = (state(event), r#type.rsplit('.').next().unwrap_or_default());
    let happened = time(event.create_time.as_ref());
    let error = event.error.lines().next().unwrap_or_default();
    let line = format!(
        "{service:<14} {position:>8}  {consumer:<14} {state:<10} {happened:<20}  {name:<20} {key:<32} {attempts:>3}  {error}"
    );
    line.trim_end().to_owned()
}

fn state(event: &OutboxEvent) -> &'static str {
    match event.state() {
        State::Unspecified => "unknown",
        State::Waiting => "waiting",
        State::Delivered => "delivered",
        State::Dead => "dead",
    }
}

/// A time to the second.
fn time(at: Option<&Timestamp>) -> String {
    let whole = at.map(|at| Timestamp { seconds: at.seconds, nanos: 0 });
    whole.map_or_else(|| "–".into(), |at| at.to_string())
}
