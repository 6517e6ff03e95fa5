//! The first five minutes, as the README has them.

use crate::sample::shop;
use crate::shell::{Desk, said};
use crate::tools;
use crate::world::World;

const README: &str = include_str!("../../README.md");

/// The shell blocks of a section of the README.
fn blocks(section: &str) -> Vec<&'static str> {
    let from = README.find(&format!("## {section}\n")).unwrap();
    let section = &README[from + 3..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Runs blocks in one shell, as someone would who types them one after another.
async fn run(blocks: &[&str], world: &World) -> String {
    let ran = Desk::new().run(&blocks.join("\n"), world).await;
    assert!(ran.status.success(), "{}", said(&ran));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_lines_of_curl_buy_something() {
    let world = shop().await;
    let curl = blocks("Buy something")[0];

    let said = run(&[curl], &world).await;

    assert_eq!(curl.lines().count(), 5);
    // Only the last line shows an order.
    assert!(said.contains("\"state\":\"STATE_CONFIRMED\""), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_lines_of_grpcurl_buy_something() {
    if tools::find_or_skip("grpcurl", "scripts/install.sh test").is_none() {
        return;
    }
    let world = shop().await;
    let [curl, grpcurl] = blocks("Buy something").try_into().unwrap();

    let before = run(&[curl], &world).await;
    let said = run(&[curl, grpcurl], &world).await;

    assert!(!before.contains("\"state\": \"STATE_CONFIRMED\""), "{before}");
    assert!(said.contains("\"state\": \"STATE_CONFIRMED\""), "{said}");
}
