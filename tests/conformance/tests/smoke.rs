//! A short run of the suites: the client against the server here, and what of Go's tools is built already.
//!
//! `make conformance` builds those tools and runs all of it; a test does neither.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The cases that are known to fail, with their reasons.
const KNOWN: &str = include_str!("../known-failing.txt");

/// A server of the interoperability tests; it ends when its input is closed, at the latest with this process.
struct Server {
    process: Child,
    port: String,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .arg("interop-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, port: port.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A tool that `make conformance` has built, or why there is none.
fn tool(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(name);
    if !path.exists() {
        eprintln!("skipped: {name} is not built; `make conformance` builds it where Go is");
        return None;
    }
    Some(path)
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// The cases of a suite that are known to fail.
fn known(suite: &str) -> Vec<&'static str> {
    let lines = KNOWN.lines().filter_map(|line| line.split_once('#'));
    lines
        .filter_map(|(case, _)| case.trim().strip_prefix(suite)?.strip_prefix(' '))
        .map(str::trim)
        .collect()
}

#[test]
fn the_channel_holds_the_cases_of_grpc_against_the_server() {
    let server = Server::start();

    let address = format!("http://127.0.0.1:{}", server.port);
    let ran = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["interop-client", "--address", &address])
        .output()
        .unwrap();

    let said = said(&ran);
    let failed: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("FAILED ")).collect();
    let known = known("interop-client");
    let unknown = |line: &&&str| !known.iter().any(|case| line.starts_with(&format!("{case}:")));
    assert_eq!(failed.iter().find(unknown), None);
    assert_eq!(said.lines().count(), 14, "{said}");
}

#[test]
fn the_client_of_another_language_is_answered() {
    let Some(client) = tool("interop/client") else { return };
    let server = Server::start();

    for case in ["large_unary", "client_streaming", "ping_pong", "custom_metadata"] {
        let ran = Command::new(&client)
            .args([
                "--server_host",
                "127.0.0.1",
                "--server_port",
                &server.port,
                "--test_case",
                case,
            ])
            .output()
            .unwrap();

        assert!(ran.status.success(), "{case}: {}", said(&ran));
    }
}

#[test]
fn the_gateway_holds_the_connect_suite() {
    let Some(runner) = tool("connectconformance") else { return };

    let mut command = Command::new(runner);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["--mode", "server", "--conf", "connect.yaml"]);
    for case in known("connect") {
        command.args(["--known-failing", case]);
    }
    for case in known("connect-flaky") {
        command.args(["--known-flaky", case]);
    }
    let ran = command.args(["--", env!("CARGO_BIN_EXE_conformance"), "connect-server"]).output();

    let ran = ran.unwrap();
    assert!(ran.status.success(), "{}", said(&ran));
}
