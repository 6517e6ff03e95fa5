//! The rules of this repository that a compiler does not know, as tests.
//!
//! Invariant: it reads and never writes; each failure names the file, the line and what to do.
#![expect(clippy::expect_used, reason = "a file that cannot be read is a failure of the test")]

mod comments;
mod direction;
mod files;
mod lexer;
mod migrations;
mod names;
mod shape;
mod source;
mod sql;

/// Fails with every violation of a rule, one a line.
#[track_caller]
fn hold(violations: &[String]) {
    assert!(violations.is_empty(), "{} to mend:\n{}", violations.len(), violations.join("\n"));
}
