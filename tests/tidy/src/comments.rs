//! What is said about the code, and how.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::direction::packages;
use crate::hold;
use crate::source::{SOURCES, Source};

#[test]
fn a_file_opens_with_what_it_is() {
    let silent = SOURCES.iter().filter(|source| !source.text.starts_with("//! "));
    let advice = "open it with `//!` and one sentence on what it is";
    hold(&silent.map(|source| format!("{}:1: {advice}", source.path)).collect::<Vec<_>>());
}

#[test]
fn a_comment_is_a_sentence() {
    let mut violations = Vec::new();
    for source in SOURCES.iter() {
        for (offset, paragraph) in paragraphs(source) {
            let place = source.place(offset);
            if !opens_well(&paragraph) {
                violations
                    .push(format!("{place}: `{}`: start it with a capital", excerpt(&paragraph)));
            } else if !closes_well(&paragraph) {
                violations
                    .push(format!("{place}: `{}`: end it with a full stop", excerpt(&paragraph)));
            }
        }
    }
    hold(&violations);
}

#[test]
fn a_sentence_may_open_with_a_term_of_the_field() {
    for good in [
        "Is it.",
        "serde's own.",
        "`x` is.",
        "gRPC, as published.",
        "3 of them.",
        "[`A`] is.",
        "\"q\" is.",
    ] {
        assert!(opens_well(good), "{good}");
    }
    assert!(!opens_well("is it."));
    assert!(!closes_well("Is it"));
}

/// The first paragraph of every block of line comments that stands on lines of its own.
fn paragraphs(source: &Source) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut last: Option<(usize, &str)> = None;
    let mut ended = false;
    for comment in &source.lexed.comments {
        let line = source.line(comment.offset);
        let before = source.text[..comment.offset].rsplit('\n').next().unwrap_or_default();
        if !before.trim().is_empty() {
            continue;
        }
        let goes_on = last == Some((line - 1, comment.marker));
        last = Some((line, comment.marker));
        if !goes_on {
            ended = comment.text.is_empty();
            if !ended {
                found.push((comment.offset, comment.text.clone()));
            }
            continue;
        }
        ended |= comment.text.is_empty() || comment.text.starts_with("```");
        if let Some((_, paragraph)) = found.last_mut().filter(|_| !ended) {
            paragraph.push(' ');
            paragraph.push_str(&comment.text);
        }
    }
    found
}

/// Names that stay in lower case: the crates of this workspace, and those they build on.
static CRATES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let packages = packages().into_iter();
    packages
        .flat_map(|package| {
            package.dependencies.into_iter().map(|it| it.name).chain([package.name])
        })
        .collect()
});

/// A capital, a digit, a quote, the name of a crate, or a term with a capital or digit inside, such as gRPC.
fn opens_well(paragraph: &str) -> bool {
    let first = paragraph.chars().next().unwrap_or_default();
    let word = paragraph.split([' ', ',', '.', '\'', '(']).next().unwrap_or_default();
    let term = word.chars().any(|letter| letter.is_uppercase() || letter.is_numeric());
    !first.is_lowercase() || term || CRATES.contains(word)
}

/// A full stop, a colon before a list or code, or the end of code or of a table.
fn closes_well(paragraph: &str) -> bool {
    paragraph.ends_with(['.', ':', '?', '!', '`', ')', '>', '|', ';', '}'])
}

fn excerpt(paragraph: &str) -> String {
    let letters = paragraph.chars().count();
    if letters <= 60 {
        return paragraph.to_owned();
    }
    let (head, tail): (String, String) =
        (paragraph.chars().take(30).collect(), paragraph.chars().skip(letters - 25).collect());
    format!("{head} … {tail}")
}
