//! `tradewind config`: what a command would be told, and from where, as a file that says the same.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::configuration::{Failed, Origin, Setting, resolve};
use crate::{reference, say};

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// What `config` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The command, with its flags: `serve --listen 0.0.0.0:80`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "serve")]
    line: Vec<OsString>,
    /// Lists every option of every command instead, as docs/configuration.md has it.
    #[arg(long)]
    reference: bool,
}

/// Says what the command of a line would be told.
pub(crate) fn run(
    command: &clap::Command,
    config: Option<&PathBuf>,
    arguments: &Arguments,
) -> Result<ExitCode, Failed> {
    if arguments.reference {
        say(reference::page(command).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let mut line = vec![OsString::from("tradewind")];
    if let Some(file) = config {
        line.extend(["--config".into(), file.into()]);
    }
    line.extend(arguments.line.iter().cloned());
    let resolved = resolve(&without_demands(command.clone()), &line)?;
    say(page(&resolved.settings).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// The same commands, which can do without what they must be told to run.
fn without_demands(command: clap::Command) -> clap::Command {
    let commands: Vec<_> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| arg.required(false));
    commands
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, without_demands))
}

fn page(settings: &[Setting]) -> String {
    let mut page = String::new();
    let mut headings: Vec<&str> = Vec::new();
    for setting in settings {
        if !headings.contains(&setting.heading.as_str()) {
            headings.push(&setting.heading);
        }
    }
    for heading in headings {
        // Writing to a text cannot fail.
        let _ = writeln!(page, "# {heading}");
        for setting in settings.iter().filter(|setting| setting.heading == heading) {
            let _ = writeln!(page, "{:<48} # {}", said(setting), origin(&setting.origin));
        }
        page.push('\n');
    }
    page
}

fn said(setting: &Setting) -> String {
    let Setting { name, value, is_secret, .. } = setting;
    match value {
        Some(_) if *is_secret => format!("{name} = \"{HIDDEN}\""),
        Some(value) => format!("{name} = {value}"),
        None => format!("# {name} ="),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Flag => "flag".into(),
        Origin::Environment(name) => format!("environment {name}"),
        Origin::File(path) => format!("file {}", path.display()),
        Origin::Default => "default".into(),
        Origin::Unset => "not set".into(),
    }
}
