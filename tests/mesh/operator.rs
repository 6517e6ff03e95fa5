//! Someone who starts a mesh, signs in, and makes a second shop in it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use http::Method;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::http::{Answer, call};

const FEED: &str = "Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant Inventory Tracker,Variant Inventory Qty\n\
                    rye-loaf,Rye Loaf,Title,Default Title,6.50,shopify,20\n";

/// A mesh as `make run` starts it, and the home of who has.
struct Desk {
    folder: TempDir,
    gateway: SocketAddr,
    one_time_password: String,
    _process: Child,
}

impl Desk {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").display().to_string();
        let line = ["serve", "--demo-shop", "--data", &data, "--listen", "127.0.0.1:0"];
        let mut process = Command::new(env!("CARGO_BIN_EXE_tradewind"))
            .args(line)
            .args(["--admin-listen", "127.0.0.1:0", "--credentials-per-minute", "1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (mut gateway, mut one_time_password) = (None, None);
        while gateway.is_none() || one_time_password.is_none() {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some((_, password)) = line.split_once(", one-time password ") {
                one_time_password = Some(password.to_owned());
            } else if let Some((_, url)) = line.split_once("gateway    http://") {
                gateway = url.trim_end_matches('/').parse().ok();
            }
        }
        let (gateway, one_time_password) = (gateway.unwrap(), one_time_password.unwrap());
        Self { folder, gateway, one_time_password, _process: process }
    }

    fn credentials(&self) -> PathBuf {
        self.folder.path().join("home/tradewind/credentials.toml")
    }

    async fn run(&self, line: &[&str]) -> (bool, String) {
        self.answer(line, "").await
    }

    /// Runs a command that reads lines from standard input.
    async fn answer(&self, line: &[&str], input: &str) -> (bool, String) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tradewind"))
            .args(line)
            .env("TRADEWIND_URL", format!("http://{}", self.gateway))
            .env("XDG_CONFIG_HOME", self.folder.path().join("home"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let run = process.wait_with_output().await.unwrap();
        let said = [run.stdout, run.stderr].concat();
        (run.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs a command that must succeed.
    async fn must(&self, line: &[&str], input: &str) -> String {
        let (passed, said) = self.answer(line, input).await;
        assert!(passed, "{line:?}: {said}");
        said
    }

    async fn sign_in(&self) {
        let input = format!("{}\nmy own password\n", self.one_time_password);
        self.must(&["login", "--email", "admin@example.com", "--password-stdin"], &input).await;
    }

    async fn search(&self, key: &str) -> Answer {
        let headers = [("tradewind-key", key)];
        call(Method::GET, self.gateway, "/v1/products:search?query=rye", &headers, "").await
    }
}

/// What stands after a label in what a command said.
fn said_of<'s>(said: &'s str, label: &str) -> &'s str {
    let line = said.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap();
    line.split_whitespace().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_is_told_how_to() {
    let desk = Desk::start().await;

    for line in [["demo"].as_slice(), &["project", "list"]] {
        let (passed, said) = desk.run(line).await;
        assert!(!passed, "{said}");
        assert!(said.contains("nobody is signed in at"), "{said}");
        assert!(said.contains("tradewind login --url"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_password_is_good_once_and_the_session_lasts() {
    let desk = Desk::start().await;
    let login = ["login", "--email", "admin@example.com", "--password-stdin"];

    let once = format!("{}\n", desk.one_time_password);
    let (passed, said) = desk.answer(&login, &once).await;
    assert!(!passed, "it must be changed: {said}");
    desk.sign_in().await;
    let (passed, said) = desk.answer(&login, &once).await;
    assert!(!passed && said.contains("UNAUTHENTICATED"), "{said}");

    let mode = std::fs::metadata(desk.credentials()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = desk.must(&["demo"], "").await;
    assert!(said.contains("everything agrees"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_have_ended_are_refreshed_where_they_are_kept() {
    let desk = Desk::start().await;
    desk.sign_in().await;
    let kept = std::fs::read_to_string(desk.credentials()).unwrap();
    let ends = kept.lines().find(|line| line.starts_with("expires = ")).unwrap();
    let ended = kept.replace(ends, "expires = 0");

    std::fs::write(desk.credentials(), &ended).unwrap();
    desk.must(&["project", "list"], "").await;
    let renewed = std::fs::read_to_string(desk.credentials()).unwrap();
    std::fs::write(desk.credentials(), &ended).unwrap();
    let (passed, said) = desk.run(&["project", "list"]).await;

    assert!(!renewed.contains("expires = 0"), "{renewed}");
    assert!(!passed && said.contains("log in again"), "a spent token is no good: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_project_sells_what_the_first_does_not_see() {
    let desk = Desk::start().await;
    desk.sign_in().await;
    let feed = desk.folder.path().join("feed.csv");
    std::fs::write(&feed, FEED).unwrap();
    let feed = feed.display().to_string();

    let create = ["project", "create", "bakery", "--currency", "CHF", "--admin", "b@example.com"];
    let said = desk.must(&create, "").await;
    let (password, key) = (said_of(&said, "one-time password"), said_of(&said, "publishable key"));
    let login = ["login", "--project", "bakery", "--email", "b@example.com", "--password-stdin"];
    desk.must(&login, &format!("{password}\nanother of my own\n")).await;
    let imported = desk.must(&["import", &feed, "--project", "bakery"], "").await;
    assert!(imported.contains("1 created"), "{imported}");

    let audited = desk.must(&["audit", "--all"], "").await;
    for project in ["project default: 0 orders, all agree", "project bakery: 0 orders, all agree"] {
        assert!(audited.contains(project), "{audited}");
    }
    let listed = desk.must(&["project", "list"], "").await;
    assert!(listed.contains("bakery") && listed.contains("default"), "{listed}");
    let (passed, said) = desk.run(&["project", "list", "--project", "bakery"]).await;
    assert!(!passed && said.contains("PERMISSION_DENIED"), "{said}");
    let found = loop {
        let found = desk.search(key).await;
        if found.json.pointer("/products/0").is_some() {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(found.text("/products/0/variants/0/price/currencyCode"), "CHF");
    assert!(desk.search("tw_pub_default").await.json.pointer("/products/0").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_is_signed_out_at_the_mesh_too() {
    let desk = Desk::start().await;
    desk.sign_in().await;
    let before = std::fs::read_to_string(desk.credentials()).unwrap();

    desk.must(&["logout"], "").await;
    let (passed, said) = desk.run(&["project", "list"]).await;
    assert!(!passed && said.contains("nobody is signed in"), "{said}");

    std::fs::write(desk.credentials(), before).unwrap();
    let (passed, said) = desk.run(&["project", "list"]).await;
    assert!(!passed && said.contains("its session has ended"), "{said}");
}
