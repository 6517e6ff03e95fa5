//! What stands beside Tradewind, each in a process of its own as Tradewind is.

pub(crate) mod calls;
mod echo;
pub(crate) mod layers;
pub(crate) mod listener;
pub(crate) mod near;
mod shelf;

pub(crate) use echo::{ECHO, Payload};

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use tokio::net::TcpListener;

/// Which peer to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// A bare tonic server that answers what it is sent.
    Echo,
    /// A service of the mesh behind every layer.
    Layers {
        /// The key that its callers hold too.
        key: PathBuf,
    },
    /// A service that consumes events from Redis, and sends the number of each when its effect is kept.
    Listener {
        /// The PostgreSQL database that it remembers in.
        database: String,
        /// The server of Redis.
        redis: String,
    },
    /// An axum server that answers products as JSON, from memory.
    Shelf {
        /// A JSON array of the products.
        products: PathBuf,
    },
}

/// Serves until the process is ended.
pub(crate) async fn serve(arguments: Arguments) -> Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    crate::say(&listener.local_addr()?.to_string());
    match arguments.kind {
        Kind::Echo => echo::serve(listener).await,
        Kind::Layers { key } => layers::serve(listener, &key).await,
        Kind::Listener { database, redis } => listener::serve(listener, &database, &redis).await,
        Kind::Shelf { products } => shelf::serve(listener, &products).await,
    }
}
