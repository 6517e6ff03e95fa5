//! Where an option's value comes from, as whoever runs a command sees it.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::process::Command;

use crate::pages;

/// A folder with a configuration file.
struct Desk {
    _folder: TempDir,
    file: PathBuf,
}

impl Desk {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tradewind.toml");
        std::fs::write(&file, text).unwrap();
        Self { _folder: folder, file }
    }

    async fn run(&self, line: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tradewind"));
        command.args(line).env("TRADEWIND_CONFIG", &self.file);
        command.envs(environment.iter().copied());
        let run = command.output().await.unwrap();
        let said = [run.stdout, run.stderr].concat();
        (run.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// What `config` says of a key, and where it says that it comes from.
fn line<'s>(said: &'s str, key: &str) -> (&'s str, &'s str) {
    let line = said.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap();
    let (value, origin) = line.split_once(" # ").unwrap();
    (value.split_once(" = ").unwrap().1.trim(), origin)
}

#[tokio::test]
async fn a_flag_is_before_the_environment_and_that_before_the_file_and_that_before_the_default() {
    let desk = Desk::with("reads-per-second = 1\nwrites-per-second = 2\nconnections = 3\n");
    let environment = [("TRADEWIND_READS_PER_SECOND", "10"), ("TRADEWIND_WRITES_PER_SECOND", "20")];

    let (passed, said) =
        desk.run(&["config", "serve", "--reads-per-second", "100"], &environment).await;

    assert!(passed, "{said}");
    assert_eq!(line(&said, "reads-per-second"), ("100", "flag"));
    let by_environment = ("20", "environment TRADEWIND_WRITES_PER_SECOND");
    assert_eq!(line(&said, "writes-per-second"), by_environment);
    let by_file = format!("file {}", desk.file.display());
    assert_eq!(line(&said, "connections"), ("3", by_file.as_str()));
    assert_eq!(line(&said, "credentials-per-minute"), ("30", "default"));
    assert!(said.contains("# smtp ="), "{said}");
}

#[tokio::test]
async fn what_config_says_is_a_file_that_says_the_same() {
    let desk = Desk::with(
        "listen = \"127.0.0.1:9\"\nallowed-origins = [\"https://a.example\", \"https://b.example\"]\n\
         demo-shop = true\nlog-format = \"json\"\n",
    );

    let (_, first) = desk.run(&["config"], &[]).await;
    let again = Desk::with(&first);
    let (passed, second) = again.run(&["config"], &[]).await;

    assert!(passed, "{second}");
    for key in ["listen", "allowed-origins", "demo-shop", "log-format", "sample", "mail-from"] {
        assert_eq!(line(&first, key).0, line(&second, key).0, "{key}");
    }
    assert_eq!(line(&second, "demo-shop").0, "true");
}

#[tokio::test]
async fn a_key_that_is_not_known_is_refused_with_the_nearest_that_is() {
    let desk = Desk::with("lissten = \"127.0.0.1:9\"\n");

    for command in [["config"], ["points"], ["serve"]] {
        let (passed, said) = desk.run(&command, &[]).await;
        assert!(!passed, "{said}");
        assert!(said.contains("no key `lissten`; did you mean `listen`?"), "{said}");
    }
}

#[tokio::test]
async fn a_value_that_is_none_is_refused_with_its_key_and_its_file() {
    let desk = Desk::with("listen = \"somewhere\"\n");

    let (passed, said) = desk.run(&["serve"], &[]).await;

    assert!(!passed);
    for part in ["tradewind.toml", "somewhere", "--listen"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn a_section_is_refused() {
    let desk = Desk::with("[listen]\nport = 1\n");

    let (passed, said) = desk.run(&["config"], &[]).await;

    assert!(!passed);
    assert!(said.contains("`listen` is neither a value nor a list of values"), "{said}");
}

#[tokio::test]
async fn a_secret_is_not_shown() {
    let desk = Desk::with("smtp = \"smtp://user:hush@localhost\"\n");
    let environment =
        [("TRADEWIND_DATABASE", "postgres://u:hush@h/d"), ("TRADEWIND_ADMIN_PASSWORD", "hush")];

    let (passed, said) = desk.run(&["config", "serve"], &environment).await;

    assert!(passed, "{said}");
    assert_eq!(line(&said, "database").0, "\"(hidden)\"");
    assert!(!said.contains("hush"), "{said}");
}

#[tokio::test]
async fn the_help_of_serve_has_headings_defaults_and_variables() {
    let desk = Desk::with("");

    let (passed, said) = desk.run(&["serve", "--help"], &[]).await;

    assert!(passed);
    for part in ["Storage:", "Addresses:", "[env: TRADEWIND_DATA=]", "[default: 127.0.0.1:8080]"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn the_page_of_options_is_what_the_commands_take() {
    let desk = Desk::with("");

    let (passed, page) = desk.run(&["config", "--reference"], &[]).await;

    assert!(passed, "{page}");
    assert!(
        page.contains("| `--lame-duck-seconds SECONDS` | `TRADEWIND_LAME_DUCK` | `5` |"),
        "{page}"
    );
    assert!(page.contains("| `--database URL` | `TRADEWIND_DATABASE` *secret* | – |"), "{page}");
    pages::keep("configuration.md", &page);
}
