//! Where spans go while measuring: a receiver of OTLP over gRPC that takes everything and keeps nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use mesh::CancellationToken;
use mesh::serve::{Config, Drain};
use tokio::net::TcpListener;
use tonic::body::Body;

/// A message without content, framed as gRPC does it: that all spans were taken.
const TAKEN: &[u8] = &[0, 0, 0, 0, 0];

/// A receiver that runs until it is dropped.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    exports: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Sink {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let exports = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&exports);
        let service = tower::service_fn(move |request: Request<Body>| {
            let counted = Arc::clone(&counted);
            async move {
                // What was cut off is no export.
                if request.into_body().collect().await.is_ok() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, Infallible>(taken())
            }
        });
        let stop = CancellationToken::new();
        let config = Config::mesh().ending(Drain::at_once());
        tokio::spawn(mesh::serve::http(listener, service, config, stop.clone()));
        Ok(Self { address, exports, stop })
    }

    /// How many times spans have come.
    pub(crate) fn exports(&self) -> u64 {
        self.exports.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn taken() -> Response<Body> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from_static(TAKEN)).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    let media_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, media_type);
    response
}
