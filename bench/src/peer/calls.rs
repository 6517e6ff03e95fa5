//! So many calls and then the end, for a process whose allocator counts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use mesh::policy::Policies;
use mesh::{Channel, Configs, Target};

use super::near::ask;
use super::{ECHO, Payload, layers};
use crate::load::Caller;
use crate::rpc::{self, BoxError};

/// How many bytes a call carries each way.
const SIZE: usize = 64;

/// Which calls.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where an echo is.
    address: SocketAddr,
    /// By which channel.
    way: Way,
    /// How many.
    count: usize,
    /// The key that a service behind every layer believes.
    #[arg(long)]
    key: Option<PathBuf>,
}

/// A channel to a server.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Way {
    /// The mesh's own.
    Mesh,
    /// tonic's own.
    Tonic,
    /// The mesh's own with every layer, to a service of the mesh.
    Layers,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { address, way, count, key } = arguments;
    let mut call = match way {
        Way::Mesh => echoing(own(address)?),
        Way::Tonic => echoing(rpc::bare(address).await?),
        Way::Layers => {
            let key = key.context("a service of the mesh wants to be shown a key")?;
            asking(layers::far(address, &key)?)
        }
    };
    for _ in 0..count {
        call().await?;
    }
    Ok(())
}

/// Calls of an echo, over one channel.
pub(crate) fn echoing<S>(channel: S) -> Caller
where
    S: tonic::client::GrpcService<tonic::body::Body, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::ResponseBody:
        http_body::Body<Data = bytes::Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    Box::new(move || echo(channel.clone()).boxed())
}

/// Calls of a service of the mesh, over one channel.
pub(crate) fn asking(channel: Channel) -> Caller {
    Box::new(move || ask(channel.clone()).boxed())
}

/// The mesh's channel to a server that belongs to no mesh.
pub(crate) fn own(address: SocketAddr) -> Result<Channel> {
    let policies = Arc::new(Policies::read(&[contract::DESCRIPTORS])?);
    let target = Target::Static(vec![address]);
    Ok(mesh::channel::dial(target, policies, Configs::default()))
}

/// One call to an echo.
async fn echo<S>(channel: S) -> Result<()>
where
    S: tonic::client::GrpcService<tonic::body::Body>,
    S::Error: Into<BoxError>,
    S::ResponseBody:
        http_body::Body<Data = bytes::Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    let answer: Payload = rpc::call(channel, ECHO, Payload { bytes: vec![b'x'; SIZE] }).await?;
    ensure!(answer.bytes.len() == SIZE, "another size came back");
    Ok(())
}
