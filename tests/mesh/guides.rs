//! Every shell block of every guide, run in its order.
//!
//! The blocks of a guide are one shell, in an empty folder. `localhost:8080` is a mesh with the sample shop,
//! and `tradewind` is on the path. A block that needs more says so: ```` ```sh needs=cluster ````.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use store_testing::Server;

use crate::sample::shop;
use crate::shell::{Desk, said};
use crate::tools;

/// What a block may need.
const NEEDS: [&str; 9] =
    ["age", "cluster", "docker", "grpcurl", "jaeger", "postgres", "root", "rust", "time"];
/// Names of languages that a shell's lines could hide behind.
const OTHER_NAMES: [&str; 4] = ["bash", "console", "shell", "zsh"];

/// A block of a guide.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// Where its fence stands.
    line: usize,
    text: String,
    needs: Option<String>,
}

/// The guides, each with its name.
fn guides() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "md"));
    paths.sort_unstable();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The shell blocks of a guide; what is wrong with it where one is neither run nor marked.
fn blocks(guide: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (at, line) in guide.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, None) => {}
            (None, Some(info)) => open = Some((at + 1, info.trim().to_owned(), String::new())),
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (Some(_), Some(_)) => {
                let (line, info, text) = open.take().unwrap();
                blocks.extend(block(line, &info, text)?);
            }
        }
    }
    match open {
        Some((line, ..)) => Err(format!("line {line}: the block is not closed")),
        None => Ok(blocks),
    }
}

/// A shell block, by what stands behind its fence; nothing for a block of something else.
fn block(line: usize, info: &str, text: String) -> Result<Option<Block>, String> {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    if OTHER_NAMES.contains(&language) {
        return Err(format!("line {line}: write ```sh, so that it is run, or ```text"));
    }
    if language.is_empty() {
        return Err(format!("line {line}: say what the block is: ```sh is run, ```text is not"));
    }
    if language != "sh" {
        return Ok(None);
    }
    if rest.is_empty() {
        return Ok(Some(Block { line, text, needs: None }));
    }
    let needs = rest.strip_prefix("needs=").filter(|needs| NEEDS.contains(needs));
    let needs = needs.ok_or_else(|| {
        format!("line {line}: `{rest}` is not needs= with one of {}", NEEDS.join(", "))
    })?;
    Ok(Some(Block { line, text, needs: Some(needs.to_owned()) }))
}

/// Whether what a block needs is here.
fn is_here(needs: &str) -> bool {
    match needs {
        "postgres" => true,
        "age" | "grpcurl" => tools::find(needs).is_some(),
        _ => false,
    }
}

/// Runs what can be run of a guide, and says where it failed.
async fn follow(blocks: &[Block]) -> Result<(), String> {
    let mut script = String::new();
    let (runs, skipped): (Vec<_>, Vec<_>) =
        blocks.iter().partition(|block| block.needs.as_deref().is_none_or(is_here));
    for block in &runs {
        writeln!(script, "echo '── line {}' >&2\n{}", block.line, block.text).unwrap();
    }
    let needed: BTreeSet<_> = skipped.iter().filter_map(|block| block.needs.as_deref()).collect();
    if !needed.is_empty() {
        let needed: Vec<_> = needed.into_iter().collect();
        eprintln!("skipped: {} blocks that need {}", skipped.len(), needed.join(", "));
    }
    if runs.is_empty() {
        return Ok(());
    }
    let world = shop().await;
    let mut desk = Desk::new();
    let asks_postgres = runs.iter().any(|block| block.needs.as_deref() == Some("postgres"));
    let server = asks_postgres.then(|| Server::start(false).unwrap());
    if let Some(server) = &server {
        // What `psql` and its like connect to when nothing is said.
        let socket = server
            .url()
            .split("host=")
            .nth(1)
            .and_then(|it| it.split('&').next().map(str::to_owned));
        desk.set("PGHOST", socket.unwrap());
        desk.set("PGUSER", "postgres");
    }
    let ran = desk.run(&script, &world).await;
    if ran.status.success() { Ok(()) } else { Err(said(&ran)) }
}

#[test]
fn every_block_of_a_guide_is_run_or_says_what_it_needs() {
    let guides = guides();
    assert!(!guides.is_empty(), "there are no guides");

    for (name, text) in guides {
        if let Err(problem) = blocks(&text) {
            panic!("docs/guides/{name}: {problem}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_guide_can_be_followed_from_its_first_line_to_its_last() {
    let mut failed = Vec::new();
    for (name, text) in guides() {
        eprintln!("docs/guides/{name}");
        if let Err(problem) = follow(&blocks(&text).unwrap()).await {
            failed.push(format!("docs/guides/{name}: {problem}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn a_block_that_is_neither_run_nor_marked_is_refused() {
    let needs = |info: &str| blocks(&format!("# A\n\n```{info}\nfalse\n```\n"));
    let run = |line, needs: Option<&str>| Block {
        line,
        text: "false\n".into(),
        needs: needs.map(str::to_owned),
    };

    assert_eq!(needs("sh").unwrap(), [run(3, None)]);
    assert_eq!(needs("sh needs=cluster").unwrap(), [run(3, Some("cluster"))]);
    assert_eq!(needs("text").unwrap(), []);
    for info in ["", "bash", "console", "sh needs=luck", "sh skip", "sh needs=cluster,docker"] {
        assert!(needs(info).is_err(), "{info}");
    }
    assert!(blocks("```sh\nfalse\n").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guide_whose_block_fails_fails_at_its_line() {
    let guide =
        "```sh\nX=1\n```\nwords\n```sh needs=cluster\nexit 7\n```\n\n```sh\ntest \"$X\" = 2\n```\n";

    let problem = follow(&blocks(guide).unwrap()).await.unwrap_err();

    assert!(problem.contains("── line 9") && !problem.contains("── line 5"), "{problem}");
}
