//! So many calls and then the end, for a process whose allocator counts.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use mesh::policy::Policies;
use mesh::{Channel, Configs, Target};

use super::{ECHO, Payload};
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
}

/// A channel to a bare server.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Way {
    /// The mesh's own.
    Mesh,
    /// tonic's own.
    Tonic,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { address, way, count } = arguments;
    match way {
        Way::Mesh => make(own(address)?, count).await,
        Way::Tonic => make(rpc::bare(address).await?, count).await,
    }
}

/// The mesh's channel to a server that belongs to no mesh.
pub(crate) fn own(address: SocketAddr) -> Result<Channel> {
    let policies = Arc::new(Policies::read(&[contract::DESCRIPTORS])?);
    let target = Target::Static(vec![address]);
    Ok(mesh::channel::dial(target, policies, Configs::default()))
}

async fn make<S>(channel: S, count: usize) -> Result<()>
where
    S: tonic::client::GrpcService<tonic::body::Body> + Clone,
    S::Error: Into<BoxError>,
    S::ResponseBody:
        http_body::Body<Data = bytes::Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    for _ in 0..count {
        echo(channel.clone()).await?;
    }
    Ok(())
}

/// One call to an echo.
pub(crate) async fn echo<S>(channel: S) -> Result<()>
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
