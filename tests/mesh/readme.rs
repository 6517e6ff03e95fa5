//! The first five minutes, as the README has them.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::sample::shop;
use crate::world::World;

const README: &str = include_str!("../../README.md");

/// The shell blocks of a section of the README.
fn blocks(section: &str) -> Vec<&'static str> {
    let from = README.find(&format!("## {section}\n")).unwrap();
    let section = &README[from + 3..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Where grpcurl is: built for the tests, or installed.
fn grpcurl() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    let path = std::env::var_os("PATH")?;
    let installed = std::env::split_paths(&path);
    std::iter::once(built).chain(installed).find(|folder| folder.join("grpcurl").exists())
}

/// Runs blocks in one shell, as someone would who types them one after another.
async fn run(blocks: &[&str], world: &World, tools: Option<&Path>) -> String {
    let script = blocks.join("\n").replace("localhost:8080", &world.gateway.to_string());
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(tools) = tools {
        path.push(":");
        path.push(tools);
    }
    let mut shell = Command::new("bash");
    let run = shell.args(["-eu", "-c", &script]).env("PATH", path).output().await.unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}: {said}\n{complaints}", run.status);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn five_lines_of_curl_buy_something() {
    let world = shop().await;
    let curl = blocks("Buy something")[0];

    let said = run(&[curl], &world, None).await;

    assert_eq!(curl.lines().count(), 5);
    // Only the last line shows an order.
    assert!(said.contains("\"state\":\"STATE_CONFIRMED\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_lines_of_grpcurl_buy_something() {
    let Some(tools) = grpcurl() else {
        eprintln!("skipped: grpcurl is not here; scripts/install.sh builds it where Go is");
        return;
    };
    let world = shop().await;
    let [curl, grpcurl] = blocks("Buy something").try_into().unwrap();

    let before = run(&[curl], &world, None).await;
    let said = run(&[curl, grpcurl], &world, Some(&tools)).await;

    assert!(!before.contains("\"state\": \"STATE_CONFIRMED\""), "{before}");
    assert!(said.contains("\"state\": \"STATE_CONFIRMED\""), "{said}");
}
