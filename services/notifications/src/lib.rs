//! What customers are told: mail, and a stream of what happens to what is theirs.
//!
//! Invariant: an event makes one mail and one notification, however often it is delivered.

mod bells;
mod delivery;
mod error;
mod events;
mod letter;
mod news;
mod rpc;
mod smtp;
mod store;
mod watch;

use ::store::{Migration, Store};
use lettre::message::Mailbox;
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use mesh::Mesh;
use tradewind::notifications::v1::notifications_service_server::NotificationsServiceServer;

use crate::bells::Bells;

/// The noun that this service is called by, everywhere.
pub const NAME: &str = "notifications";

/// The tables, oldest first.
pub const MIGRATIONS: &[Migration] =
    &[Migration::new("0001_notifications", include_str!("../migrations/0001_notifications.sql"))];

/// The services that it calls.
pub const CALLS: &[&str] = &[];

/// The events that it consumes.
pub const CONSUMES: &[&str] = &events::CONSUMES;

/// Who mails come from, and what sends them.
#[derive(Clone)]
pub struct Config {
    from: Mailbox,
    smtp: Option<AsyncSmtpTransportBuilder>,
}

/// A configuration that is not one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The sender.
    #[error("the sender of mails is not an address like `Shop <shop@example.com>`")]
    From(#[source] lettre::address::AddressError),
    /// The server.
    #[error(
        "the mail server is not an address like smtps://user:password@mail.example.com, or \
         smtp://127.0.0.1:25; smtp:// with ?tls=required or ?tls=opportunistic uses STARTTLS"
    )]
    Smtp(#[source] lettre::transport::smtp::Error),
}

impl Config {
    /// Mails come from an address, and are kept where no server is given.
    pub fn new(smtp: Option<&str>, from: &str) -> Result<Self, ConfigError> {
        let from = from.parse().map_err(ConfigError::From)?;
        let smtp = smtp.map(smtp::server).transpose().map_err(ConfigError::Smtp)?;
        Ok(Self { from, smtp })
    }
}

impl std::fmt::Debug for Config {
    /// Without the server, whose address holds a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("from", &self.from).finish_non_exhaustive()
    }
}

/// The service, over its store.
#[must_use]
pub fn service(config: Config, store: Store, _mesh: &Mesh) -> mesh::Service {
    let bells = Bells::default();
    let smtp = config.smtp.map(|server| smtp::Smtp::new(server, config.from));
    let consumer = events::consumer(&store, smtp.is_some(), bells.clone());
    let runner = delivery::runner(&store, smtp);
    let answers = rpc::Notifications { store, bells: bells.clone() };
    mesh::Service::new(NAME)
        .answer(NotificationsServiceServer::new(answers))
        .consume(consumer)
        .work(|stop| runner.run(stop))
        .work(|stop| async move {
            stop.cancelled().await;
            bells.close();
        })
}
