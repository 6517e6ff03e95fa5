//! Where an option's value comes from: a flag, else the environment, else the file, else its default.
//!
//! The options are clap's own: one that can be given by environment can be given in the file, under the
//! name of its flag.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use toml::Value;

/// The option that names the file, which the file itself cannot.
const CONFIG: &str = "config";

/// A command line in which every value is what it shall be.
pub(crate) struct Resolved {
    pub(crate) matches: ArgMatches,
    /// The options of the command, with their values and where those come from.
    pub(crate) settings: Vec<Setting>,
}

/// An option of a command.
pub(crate) struct Setting {
    /// Such as `listen`.
    pub(crate) name: String,
    /// What it is listed under.
    pub(crate) heading: String,
    /// How the file would say it; none when it is not set.
    pub(crate) value: Option<Value>,
    pub(crate) origin: Origin,
    pub(crate) is_secret: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment(String),
    File(PathBuf),
    Default,
    /// There is no value.
    Unset,
}

/// A command that came to nothing.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Its line cannot be read; clap says so itself.
    Line(clap::Error),
    /// Anything else.
    Work(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

/// Reads a command line, with the environment and the file that it names.
pub(crate) fn resolve(command: &Command, line: &[OsString]) -> Result<Resolved, Failed> {
    let mut command = command.clone();
    command.build();
    let said = command.try_get_matches_from_mut(line).map_err(Failed::Line)?;
    let path = said.get_one::<PathBuf>(CONFIG).cloned();
    let file = match &path {
        Some(path) => File::read(path, &command)?,
        None => File::default(),
    };
    let (leaf, chosen) = leaf(&command, &said);
    let options: Vec<_> = leaf.get_arguments().filter(|arg| key_of(arg).is_some()).collect();
    let by_file = file.arguments(&options, chosen);
    let matches =
        command.clone().try_get_matches_from(with(line, &by_file)).map_err(
            |error| match &path {
                // The line alone was good.
                Some(path) => Failed::Work(anyhow!("{}: {error}", path.display())),
                None => Failed::Line(error),
            },
        )?;
    let effective = leaf_matches(&matches);
    let settings = options.iter().map(|arg| setting(arg, chosen, effective, &file)).collect();
    Ok(Resolved { matches, settings })
}

/// What a configuration file says.
#[derive(Default)]
struct File {
    path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

impl File {
    fn read(path: &Path, command: &Command) -> Result<Self> {
        let shown = path.display();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
        let table: toml::Table = text.parse().with_context(|| format!("{shown} is not TOML"))?;
        let known = keys(command);
        let mut values = BTreeMap::new();
        for (key, value) in table {
            if !known.contains(&key) {
                bail!("{shown}: there is no key `{key}`{}", nearest(&key, &known));
            }
            let value = texts(&value).with_context(|| {
                format!("{shown}: `{key}` is neither a value nor a list of values")
            })?;
            values.insert(key, value);
        }
        Ok(Self { path: path.to_owned(), values })
    }

    /// What it says of these options, where neither a flag nor the environment does, as flags.
    fn arguments(&self, options: &[&Arg], chosen: &ArgMatches) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for option in options {
            let Some(key) = key_of(option) else { continue };
            if is_said(chosen, option) {
                continue;
            }
            let values = self.values.get(key).into_iter().flatten();
            arguments.extend(values.map(|value| OsString::from(format!("--{key}={value}"))));
        }
        arguments
    }
}

/// What the file calls an option, where it may hold it.
fn key_of(arg: &Arg) -> Option<&str> {
    let is_setting = arg.get_env().is_some() && !arg.is_hide_set() && arg.get_id() != CONFIG;
    arg.get_long().filter(|_| is_setting)
}

/// Every key that a file may hold, of any command.
fn keys(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(key_of).map(str::to_owned);
    let mut keys: Vec<_> = own.chain(command.get_subcommands().flat_map(keys)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn nearest(key: &str, known: &[String]) -> String {
    let distance = |known: &String| strsim::damerau_levenshtein(key, known);
    let best = known.iter().min_by_key(|known| distance(known));
    // Further away than half of its letters, it is another word.
    let best = best.filter(|best| distance(best) * 2 <= best.len().max(key.len()));
    best.map(|best| format!("; did you mean `{best}`?")).unwrap_or_default()
}

/// A value of a file as a flag would give it.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(vec![value.to_string()]),
        Value::Array(values) => {
            let each = values.iter().map(|value| match value {
                Value::Array(_) => None,
                value => texts(value),
            });
            each.collect::<Option<Vec<_>>>().map(|values| values.concat())
        }
        Value::Datetime(_) | Value::Table(_) => None,
    }
}

/// A line with more flags, which stand before what is no flag any more.
fn with(line: &[OsString], more: &[OsString]) -> Vec<OsString> {
    let end = line.iter().position(|word| word == "--").unwrap_or(line.len());
    let (before, after) = line.split_at(end);
    [before, more, after].concat()
}

/// The command that a line chooses, through all of its subcommands.
fn leaf<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let chosen = matches.subcommand();
    let chosen = chosen.and_then(|(name, below)| Some((command.find_subcommand(name)?, below)));
    chosen.map_or((command, matches), |(command, matches)| leaf(command, matches))
}

fn leaf_matches(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, below)| leaf_matches(below))
}

fn is_said(matches: &ArgMatches, arg: &Arg) -> bool {
    let source = matches.value_source(arg.get_id().as_str());
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

fn setting(arg: &Arg, said: &ArgMatches, effective: &ArgMatches, file: &File) -> Setting {
    let name = key_of(arg).unwrap_or_default().to_owned();
    let value = value(arg, effective);
    let origin = match said.value_source(arg.get_id().as_str()) {
        Some(ValueSource::CommandLine) => Origin::Flag,
        Some(ValueSource::EnvVariable) => {
            Origin::Environment(arg.get_env().unwrap_or_default().to_string_lossy().into_owned())
        }
        _ if file.values.contains_key(&name) => Origin::File(file.path.clone()),
        _ if value.is_some() => Origin::Default,
        _ => Origin::Unset,
    };
    Setting {
        name,
        heading: arg.get_help_heading().unwrap_or("Options").to_owned(),
        value,
        origin,
        is_secret: arg.is_hide_env_values_set(),
    }
}

fn value(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    let raw = matches.get_raw(arg.get_id().as_str())?;
    let mut values: Vec<_> = raw.map(|value| typed(&value.to_string_lossy())).collect();
    if matches!(arg.get_action(), clap::ArgAction::Append) {
        return Some(Value::Array(values));
    }
    values.pop()
}

/// A value as the file would have it: a number or a truth where it reads as one.
fn typed(text: &str) -> Value {
    let truth = text.parse().ok().map(Value::Boolean);
    let number = || text.parse().ok().map(Value::Integer);
    let fraction = || text.parse().ok().filter(|it: &f64| it.is_finite()).map(Value::Float);
    truth.or_else(number).or_else(fraction).unwrap_or_else(|| Value::String(text.to_owned()))
}
