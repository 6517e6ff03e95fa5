//! What customers are told, as they and a mail server meet it.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a test does not expect fails it"
)]

mod mails;
mod sending;
mod server;
mod shop;
mod watching;
