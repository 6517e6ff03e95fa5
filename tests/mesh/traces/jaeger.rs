//! A Jaeger of this test's own, where one is installed.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ::http::Method;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::told::{Told, Tree};
use crate::http::try_call;
use crate::tools::{self, PATIENCE};
use crate::world::free_address;

/// A running Jaeger; it ends when it is dropped.
pub(crate) struct Jaeger {
    otlp: SocketAddr,
    query: SocketAddr,
    _child: Child,
}

impl Jaeger {
    /// One that takes spans and answers questions; none where none is installed.
    pub(crate) async fn start() -> Option<Self> {
        let program = tools::find_or_skip("jaeger", "scripts/jaeger.sh")?;
        let [otlp, query, health] =
            [free_address().await, free_address().await, free_address().await];
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/trace/jaeger.yaml");
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(config)
            .env("JAEGER_OTLP", otlp.to_string())
            .env("JAEGER_QUERY", query.to_string())
            .env("JAEGER_HEALTH", health.to_string());
        let child = tools::start(&mut command, query, "/api/services").await;
        Some(Self { otlp, query, _child: child })
    }

    /// Where it takes spans.
    pub(crate) fn otlp(&self) -> String {
        format!("http://{}", self.otlp)
    }

    /// A trace, once it is as it should be.
    pub(crate) async fn until(&self, trace: &str, is: impl Fn(&Tree) -> bool) -> Tree {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let path = format!("/api/traces/{trace}");
            let answer = try_call(Method::GET, self.query, &path, &[], "").await.unwrap();
            let tree = read(&answer.json);
            if is(&tree) {
                return tree;
            }
            assert!(Instant::now() < deadline, "Jaeger has no more than\n{tree}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What Jaeger's API answers, as it was told.
fn read(answer: &Value) -> Tree {
    let trace = &answer["data"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |span: &Value| Told {
        trace: text(&span["traceID"]),
        id: text(&span["spanID"]),
        parent: text(&span["references"][0]["spanID"]),
        service: text(&trace["processes"][text(&span["processID"])]["serviceName"]),
        name: text(&span["operationName"]),
        begun: span["startTime"].as_u64().unwrap_or_default() * 1000,
        failed: span["tags"].as_array().is_some_and(|tags| {
            tags.iter().any(|tag| tag["key"] == "error" && tag["value"] == true)
        }),
    };
    let spans = trace["spans"].as_array();
    Tree { spans: spans.into_iter().flatten().map(told).collect() }
}
