//! The port for operators: metrics and health. Never the public one.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use crate::mesh::Mesh;
use crate::serve::{self, Drain, Ended};

/// Serves `/metrics`, `/healthz` (the process lives) and `/readyz` (it takes calls).
pub async fn serve(listener: TcpListener, mesh: Mesh, stop: CancellationToken) -> Ended {
    let service = tower::service_fn(move |request: Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(answer(&mesh, request.uri().path())))
    });
    serve::http(listener, service, Drain::default(), stop).await
}

fn answer(mesh: &Mesh, path: &str) -> Response<Body> {
    let (status, kind, text) = match path {
        "/metrics" => (
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            mesh.metrics().page(),
        ),
        "/healthz" => (StatusCode::OK, "text/plain", "alive\n".to_owned()),
        "/readyz" if mesh.health().is_serving() => {
            (StatusCode::OK, "text/plain", "ready\n".to_owned())
        }
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "not ready\n".to_owned()),
        _ => {
            (StatusCode::NOT_FOUND, "text/plain", "try /metrics, /healthz or /readyz\n".to_owned())
        }
    };
    let mut response = Response::new(Body::new(Full::new(text.into())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
    response
}
