//! A command with a server of its own.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The program, running a script that first says where the server is.
fn program(script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_store-testing"));
    let script = format!("echo \"$TRADEWIND_TEST_POSTGRES\"; {script}");
    command.args(["sh", "-c", &script]).stdout(Stdio::piped());
    command
}

/// The server's directory, in what a script says.
fn directory(url: &str) -> PathBuf {
    let (_, rest) = url.split_once("host=").unwrap();
    rest.split_once('&').unwrap().0.into()
}

fn is_gone_within_ten_seconds(directory: &Path) -> bool {
    let asked = (0..1000).map(|_| std::thread::sleep(Duration::from_millis(10)));
    asked.into_iter().any(|()| !directory.exists())
}

#[test]
fn a_command_runs_with_a_server_and_its_code_is_the_programs() {
    let output = program("test -S \"$(echo \"$TRADEWIND_TEST_POSTGRES\" | sed 's/.*host=//; s/&.*//')/.s.PGSQL.5432\" && exit 7").output().unwrap();

    assert_eq!(output.status.code(), Some(7));
    let directory = directory(&String::from_utf8(output.stdout).unwrap());
    assert!(!directory.exists(), "the server is still there");
}

#[test]
fn the_server_does_not_outlive_a_program_that_is_killed() {
    let mut running = program("exec sleep 60").spawn().unwrap();
    let mut url = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let directory = directory(&url);
    assert!(directory.exists());

    running.kill().unwrap();
    running.wait().unwrap();

    assert!(is_gone_within_ten_seconds(&directory), "the server is still there");
}

#[test]
fn without_a_command_it_says_how_it_is_used() {
    let output = Command::new(env!("CARGO_BIN_EXE_store-testing")).output().unwrap();

    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("usage:"));
}
