//! What operators read over HTTP.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, Uri};
use http_body_util::Full;
use tonic::body::Body;

use super::profile::{NoProfile, Profiler};
use crate::mesh::Mesh;

/// How long a profile is taken where nothing is said, and at most, in seconds.
const PROFILE_SECONDS: (u64, u64) = (10, 120);

const TEXT: &str = "text/plain";
const HELP: &str = "try /metrics, /healthz, /readyz, /debug/pprof/profile?seconds=10 or /debug/pprof/heap; \
                    gRPC has health, channelz and reflection\n";

/// What pages are made of.
pub(super) struct Pages {
    pub(super) mesh: Mesh,
    pub(super) profiler: Option<Box<dyn Profiler>>,
}

impl Pages {
    pub(super) async fn answer(&self, uri: &Uri) -> Response<Body> {
        match uri.path() {
            "/metrics" => page(
                StatusCode::OK,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                self.mesh.metrics().page(),
            ),
            "/healthz" => page(StatusCode::OK, TEXT, "alive\n"),
            "/readyz" => self.ready(""),
            path if path.starts_with("/readyz/") => self.ready(&path["/readyz/".len()..]),
            "/debug/pprof/profile" => self.cpu(uri).await,
            "/debug/pprof/heap" => match &self.profiler {
                Some(profiler) => profile("heap.pb.gz", profiler.heap().await),
                None => page(StatusCode::NOT_FOUND, TEXT, "this process takes no profiles\n"),
            },
            _ => page(StatusCode::NOT_FOUND, TEXT, HELP),
        }
    }

    /// Whether the process takes calls, or one of its services, by the name that health has for it.
    fn ready(&self, name: &str) -> Response<Body> {
        match self.mesh.health().serves(name) {
            Some(true) => page(StatusCode::OK, TEXT, "ready\n"),
            Some(false) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not ready\n"),
            None => page(StatusCode::NOT_FOUND, TEXT, "there is no service of that name here\n"),
        }
    }

    async fn cpu(&self, uri: &Uri) -> Response<Body> {
        let Some(profiler) = &self.profiler else {
            return page(StatusCode::NOT_FOUND, TEXT, "this process takes no profiles\n");
        };
        let (default, most) = PROFILE_SECONDS;
        match seconds(uri.query().unwrap_or_default(), default) {
            Some(seconds) if (1..=most).contains(&seconds) => {
                profile("cpu.pb.gz", profiler.cpu(Duration::from_secs(seconds)).await)
            }
            _ => {
                let told = format!("seconds must be a number from 1 to {most}\n");
                page(StatusCode::BAD_REQUEST, TEXT, told)
            }
        }
    }
}

/// The parameter `seconds` of a query.
fn seconds(query: &str, default: u64) -> Option<u64> {
    match query.split('&').find_map(|pair| pair.strip_prefix("seconds=")) {
        Some(told) => told.parse().ok(),
        None => Some(default),
    }
}

fn profile(name: &str, taken: Result<Vec<u8>, NoProfile>) -> Response<Body> {
    match taken {
        Ok(bytes) => {
            let mut response = page(StatusCode::OK, "application/octet-stream", bytes);
            let file = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
            if let Ok(file) = file {
                response.headers_mut().insert(http::header::CONTENT_DISPOSITION, file);
            }
            response
        }
        Err(why) => {
            let status = match why {
                NoProfile::Busy => StatusCode::CONFLICT,
                NoProfile::Off(_) => StatusCode::NOT_IMPLEMENTED,
                NoProfile::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            page(status, TEXT, format!("{why}\n"))
        }
    }
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_profile_is_read_or_refused() {
        assert_eq!(seconds("", 10), Some(10));
        assert_eq!(seconds("a=b&seconds=3", 10), Some(3));
        assert_eq!(seconds("seconds=-3", 10), None);
        assert_eq!(seconds("seconds=", 10), None);
    }
}
