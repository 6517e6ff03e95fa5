//! A Jaeger of this test's own, where one is installed.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ::http::Method;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::told::{Told, Tree};
use crate::http::{self, try_call};
use crate::world::free_address;

/// How long it may take to start, and a trace to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Jaeger; it ends when it is dropped.
pub(crate) struct Jaeger {
    otlp: SocketAddr,
    query: SocketAddr,
    _child: Child,
}

/// Says that there is no Jaeger, past what a test's output is kept back by.
pub(crate) fn skipped() {
    let text = "SKIPPED: no Jaeger in target/tools or on the PATH; scripts/jaeger.sh builds one";
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn installed() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/jaeger");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("jaeger"));
    [own].into_iter().chain(on_path).find(|jaeger| jaeger.is_file())
}

impl Jaeger {
    /// One that takes spans and answers questions; none where none is installed.
    pub(crate) async fn start() -> Option<Self> {
        let program = installed()?;
        let [otlp, query, health] =
            [free_address().await, free_address().await, free_address().await];
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/trace/jaeger.yaml");
        let child = Command::new(program)
            .arg("--config")
            .arg(config)
            .env("JAEGER_OTLP", otlp.to_string())
            .env("JAEGER_QUERY", query.to_string())
            .env("JAEGER_HEALTH", health.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while http::status(query, "/api/services").await != Some(200) {
            assert!(Instant::now() < deadline, "Jaeger does not answer");
            tokio::task::yield_now().await;
        }
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
