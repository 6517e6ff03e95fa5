//! The operators' port: how a process does, told while it is busiest.
//!
//! It has a thread and a runtime of its own, so that it answers when every other thread is at work.
//!
//! Invariant: nothing here is for the public; a process listens here on a private address.

mod page;
mod profile;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use contract::grpc::channelz::v1::channelz_server::{ChannelzServer, SERVICE_NAME as CHANNELZ};
use contract::grpc::health::v1::health_server::{HealthServer, SERVICE_NAME as HEALTH};
use http::Request;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_server as v1;
use tonic_reflection::pb::v1alpha::server_reflection_server as v1alpha;
use tower::ServiceExt;

pub use self::profile::{NoProfile, Profiler};

use self::page::Pages;
use crate::channelz::Channelz;
use crate::mesh::Mesh;
use crate::serve::{self, Config, Drain, Ended};

/// An operators' port that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No thread, or no runtime on it.
    #[error("the operators' port cannot have a thread of its own")]
    Thread(#[from] io::Error),
    /// Reflection.
    #[error("the contracts of the operators' port cannot be reflected")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A port that is served; it ends with the token that it was given.
#[derive(Debug)]
pub struct Serving {
    ended: oneshot::Receiver<Ended>,
}

impl Serving {
    /// Waits for its end.
    pub async fn ended(self) -> Ended {
        self.ended.await.unwrap_or(Ended::Forced)
    }
}

/// Serves `/metrics`, `/healthz` (the process lives), `/readyz` (it takes calls) and profiles over HTTP, health,
/// channelz and reflection over gRPC.
pub fn serve(
    listener: TcpListener,
    mesh: Mesh,
    profiler: Option<Box<dyn Profiler>>,
    stop: CancellationToken,
) -> Result<Serving, Error> {
    let grpc = grpc(&mesh)?;
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (told, ended) = oneshot::channel();
    std::thread::Builder::new().name("admin".into()).spawn(move || {
        let _ = told.send(runtime.block_on(run(listener, mesh, grpc, profiler, stop)));
    })?;
    Ok(Serving { ended })
}

async fn run(
    listener: std::net::TcpListener,
    mesh: Mesh,
    grpc: Routes,
    profiler: Option<Box<dyn Profiler>>,
    stop: CancellationToken,
) -> Ended {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the operators' port is not served");
            return Ended::Forced;
        }
    };
    let registry = mesh.channelz().clone();
    let pages = Arc::new(Pages { mesh, profiler });
    let service = tower::service_fn(move |request: Request<Body>| {
        let (pages, grpc) = (Arc::clone(&pages), grpc.clone());
        async move {
            if is_grpc(&request) {
                return grpc.oneshot(request).await;
            }
            Ok::<_, Infallible>(pages.answer(request.uri()).await)
        }
    });
    // Whoever looks on does not keep a process.
    let drain = Drain { longest: Duration::from_secs(1), ..Drain::at_once() };
    let config = Config { name: "admin", ..Config::edge().ending(drain) };
    serve::listed(listener, service, config, &registry, stop).await
}

fn is_grpc(request: &Request<Body>) -> bool {
    let kind = request.headers().get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn grpc(mesh: &Mesh) -> Result<Routes, tonic_reflection::server::Error> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(contract::DESCRIPTORS)
            .with_service_name(CHANNELZ)
            .with_service_name(HEALTH)
            .with_service_name(v1::SERVICE_NAME)
            .with_service_name(v1alpha::SERVICE_NAME)
    };
    let mut routes = Routes::builder();
    routes
        .add_service(ChannelzServer::new(Channelz(mesh.channelz().clone())))
        .add_service(HealthServer::new(mesh.health().clone()))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok(routes.routes().prepare())
}
