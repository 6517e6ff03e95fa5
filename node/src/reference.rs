//! The page of all options, `docs/configuration.md`: made of the commands themselves.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

const HEAD: &str = "\
# Configuration

Every option of every command. Made from the commands by `tradewind config --reference`; a test compares it. Where a value
comes from, and how a file is written, is in [running.md](running.md#options); `tradewind config serve` prints what holds.

An option is a flag, else its environment variable, else a key of the file that `--config` names, called as the flag is
without its dashes, else its default. What has no variable is a flag alone. The word behind a flag says its unit. Values
that are marked *secret* are never shown.
";

/// An option, and the commands that take it.
struct Entry {
    heading: String,
    option: String,
    variable: String,
    default: String,
    meaning: String,
    commands: Vec<String>,
}

/// The page.
pub(crate) fn page(command: &Command) -> String {
    let mut command = command.clone();
    command.build();
    let mut entries = Vec::new();
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        collect(below, below.get_name(), &mut entries);
    }
    let mut page = HEAD.to_owned();
    let mut headings: Vec<&str> = Vec::new();
    for entry in &entries {
        if !headings.contains(&entry.heading.as_str()) {
            headings.push(&entry.heading);
        }
    }
    for heading in headings {
        // Writing to a text cannot fail.
        let _ = writeln!(page, "\n## {heading}\n");
        let _ = writeln!(page, "| option | environment | default | meaning | commands |");
        let _ = writeln!(page, "|---|---|---|---|---|");
        for entry in entries.iter().filter(|entry| entry.heading == heading) {
            let Entry { option, variable, default, meaning, commands, .. } = entry;
            let commands =
                if heading == "Every command" { "all".into() } else { commands.join(", ") };
            let _ =
                writeln!(page, "| {option} | {variable} | {default} | {meaning} | {commands} |");
        }
    }
    page
}

/// Takes the options of a command and of those below it.
fn collect(command: &Command, path: &str, entries: &mut Vec<Entry>) {
    for arg in command.get_arguments().filter(|arg| is_option(arg)) {
        let entry = Entry::of(arg, path);
        let known = entries
            .iter_mut()
            .find(|known| known.option == entry.option && known.meaning == entry.meaning);
        match known {
            Some(known) => known.commands.push(format!("`{path}`")),
            None => entries.push(entry),
        }
    }
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        collect(below, &format!("{path} {}", below.get_name()), entries);
    }
}

/// Whether it is named by a flag, and is no question.
fn is_option(arg: &Arg) -> bool {
    let asks = matches!(arg.get_id().as_str(), "help" | "version");
    arg.get_long().is_some() && !arg.is_hide_set() && !asks
}

impl Entry {
    fn of(arg: &Arg, path: &str) -> Self {
        let variable = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy()));
        let secret = if arg.is_hide_env_values_set() { " *secret*" } else { "" };
        Self {
            heading: arg
                .get_help_heading()
                .map_or_else(|| format!("`tradewind {path}`"), Into::into),
            option: format!("`{}`", option(arg)),
            variable: format!("{}{secret}", variable.as_deref().unwrap_or("–")),
            default: default(arg),
            meaning: meaning(arg),
            commands: vec![format!("`{path}`")],
        }
    }
}

/// Such as `--keep-keys-days DAYS`.
fn option(arg: &Arg) -> String {
    let flag = format!("--{}", arg.get_long().unwrap_or_default());
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let is_truth = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    match arg.get_value_names() {
        Some([name, ..]) if takes && !is_truth => format!("{flag} {name}"),
        _ => flag,
    }
}

fn default(arg: &Arg) -> String {
    let values: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if values.is_empty() { "–".into() } else { format!("`{}`", values.join(",")) }
}

/// What the help says, with the values that there are.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let values: Vec<_> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let is_truth = arg.get_possible_values().iter().any(|value| value.get_name() == "true");
    if values.is_empty() || is_truth {
        return help;
    }
    format!("{}. One of {}.", help.trim_end_matches('.'), values.join(", "))
}
