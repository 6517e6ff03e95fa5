//! What a doctor finds of alerts, by a real Prometheus.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;
use store_testing::Engine;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::doctor::doctor;
use crate::http;
use crate::tools::{self, PATIENCE};
use crate::world::{Shape, World, free_address};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../helm/tradewind/files/alerts.yaml");

/// A running Prometheus; it ends when it is dropped.
struct Prometheus {
    address: SocketAddr,
    _folder: TempDir,
    _child: Child,
}

impl Prometheus {
    /// One with this configuration, which has been read at least once.
    async fn start(program: &Path, configuration: &serde_json::Value) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address().await);
        let file = folder.path().join("prometheus.json");
        // JSON is YAML.
        fs::write(&file, configuration.to_string()).unwrap();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let child = tools::start(&mut command, address, "/-/ready").await;
        Self { address, _folder: folder, _child: child }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until it has read a process of the mesh.
    async fn has_read(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !http::text(self.address, "/api/v1/query?query=up").await.contains("\"1\"") {
            assert!(Instant::now() < deadline, "Prometheus reads nothing");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_looked_for_where_they_would_be_raised() {
    let program = tools::find("prometheus").expect("`make install` installs Prometheus");
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let manager = free_address().await.to_string();
    let whole = json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "scrape_configs": [{ "job_name": "tradewind",
            "static_configs": [{ "targets": [world.admin().to_string()] }] }],
        "rule_files": [RULES],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": [manager] }] }] },
    });
    let (well, bare) = (
        Prometheus::start(&program, &whole).await,
        Prometheus::start(&program, &json!({ "global": {} })).await,
    );
    well.has_read().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();

    let good = doctor(&["--data", data, "--prometheus", &well.url()]).await;
    let warned = doctor(&["--data", data, "--prometheus", &bare.url()]).await;
    let bad = doctor(&["--data", data, "--production", "--prometheus", &bare.url()]).await;
    let unnamed = doctor(&["--data", data, "--production"]).await;
    let gone = doctor(&["--data", data, "--prometheus", &format!("http://{manager}")]).await;

    good.passes("alerts");
    assert!(warned.of("alerts").iter().all(|(verdict, _)| *verdict == "warn"), "{warned:?}");
    bad.fails("alerts", "reads 0 processes");
    bad.fails("alerts", "alerts are missing: ");
    bad.fails("alerts", "tells 0 Alertmanagers");
    assert!(matches!(unnamed.of("alerts")[..], [("warn", _)]), "{unnamed:?}");
    gone.fails("alerts", "refused");
}
