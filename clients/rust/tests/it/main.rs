//! Calls as the network sees them: what goes out, how often, with what.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod script;
mod tokens;
