//! `tradewind login` and `tradewind logout`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use mesh::Status;
use tonic_types::StatusExt;
use tradewind::users::v1::{ChangePasswordRequest, LogInRequest, LogOutRequest, Tokens};
use tradewind_client::Client;

use crate::connect::{self, Target, said};
use crate::credentials::{Credentials, Kept};
use crate::say;

/// What `login` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The account.
    #[arg(long, env = "TRADEWIND_EMAIL", value_name = "ADDRESS", help_heading = "Account")]
    email: Option<String>,
    /// Reads the password from the first line of standard input, and a new one, where the first is a one-time
    /// password, from the second. Without it, they are asked for on the terminal.
    #[arg(long, help_heading = "Account")]
    password_stdin: bool,
    #[command(flatten)]
    credentials: Credentials,
}

/// What `logout` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct LogoutArguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    credentials: Credentials,
}

/// Where passwords come from.
enum Passwords {
    Terminal,
    Lines(std::io::Lines<std::io::StdinLock<'static>>),
}

/// Signs in, and keeps that for the commands that follow.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let email = arguments.email.context("say whose account it is: --email ADDRESS")?;
    let place = arguments.target.place();
    let client = connect::open(&place).await?;
    let mut passwords = if arguments.password_stdin {
        Passwords::Lines(std::io::stdin().lines())
    } else {
        Passwords::Terminal
    };
    let password = passwords.current(&email)?;
    let request = LogInRequest { email: email.clone(), password: password.clone() };
    let tokens = match client.users().log_in(request).await {
        Ok(tokens) => tokens.into_inner(),
        Err(status) if must_change(&status) => {
            change(&client, &email, password, &mut passwords).await?
        }
        Err(status) => return Err(said(status)).context(format!("{email} cannot sign in")),
    };
    arguments.credentials.keep(&place, &email, &tokens).await?;
    say(&format!("{email} is signed in at {}, project {}", place.url, place.project));
    Ok(ExitCode::SUCCESS)
}

/// Ends the session that is kept, and forgets it.
pub(crate) async fn log_out(arguments: LogoutArguments) -> Result<ExitCode> {
    let (place, credentials) = (arguments.target.place(), arguments.credentials);
    if credentials.who(&place).await?.is_none() {
        say(&format!("nobody is signed in at {}, project {}", place.url, place.project));
        return Ok(ExitCode::SUCCESS);
    }
    let kept = credentials.clone();
    let ended = end_session(kept, &place).await;
    // Whatever the mesh says: who signs out is signed out here.
    let who = credentials.forget(&place).await?.unwrap_or_default();
    ended.context("the session is forgotten here, but the mesh could not be told")?;
    say(&format!("{who} is signed out"));
    Ok(ExitCode::SUCCESS)
}

async fn end_session(credentials: Credentials, place: &crate::credentials::Place) -> Result<()> {
    let anyone = connect::open(place).await?;
    let kept = Kept { credentials, at: place.clone(), anyone: anyone.clone() };
    let mut users = anyone.signed_in(Arc::new(kept)).users();
    users.log_out(LogOutRequest { everywhere: false }).await.map_err(said)?;
    Ok(())
}

/// Uses a one-time password for the one thing that it is good for.
async fn change(
    client: &Client,
    email: &str,
    current_password: String,
    passwords: &mut Passwords,
) -> Result<Tokens> {
    let new_password = passwords.new_one()?;
    let request = ChangePasswordRequest { email: email.to_owned(), current_password, new_password };
    let tokens = client.users().change_password(request).await.map_err(said);
    Ok(tokens.context("the password could not be changed")?.into_inner())
}

fn must_change(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| info.reason == "PASSWORD_MUST_CHANGE")
}

impl Passwords {
    fn current(&mut self, email: &str) -> Result<String> {
        match self {
            Self::Terminal => asked(&format!("Password of {email}: ")),
            Self::Lines(lines) => next(lines, "the password"),
        }
    }

    fn new_one(&mut self) -> Result<String> {
        match self {
            Self::Terminal => {
                say(
                    "This password is good once. Choose one of your own, of 10 characters or more.",
                );
                let new = asked("New password: ")?;
                ensure!(asked("The same again: ")? == new, "the two are not the same");
                Ok(new)
            }
            Self::Lines(lines) => next(lines, "a new one, since the password is good once,"),
        }
    }
}

fn asked(prompt: &str) -> Result<String> {
    rpassword::prompt_password(prompt)
        .context("there is no terminal to ask on; give the password with --password-stdin")
}

fn next(lines: &mut std::io::Lines<std::io::StdinLock<'static>>, what: &str) -> Result<String> {
    let line = lines.next().transpose()?;
    line.with_context(|| format!("standard input ends where {what} should be"))
}
