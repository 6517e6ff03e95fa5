//! Telemetry of one thread, and the collector that it goes to.

use std::time::Duration;

use mesh::telemetry::{self, LogFormat, Otlp, Signals, Telemetry};
use mesh_testing::otlp::{Collector, Span};
use tracing::dispatcher::DefaultGuard;

/// What telemetry of this thread sends, while it stands.
pub(crate) struct Receiver {
    collector: Collector,
    pub(crate) telemetry: Telemetry,
    /// Spans of this thread are the telemetry's until it is dropped.
    here: DefaultGuard,
}

impl Receiver {
    /// Sends the telemetry of this thread here, so many of the traces that begin here.
    pub(crate) fn start(sample: f64) -> Self {
        Self::logging(sample, "off")
    }

    /// The same, with log events.
    pub(crate) fn logging(sample: f64, filter: &str) -> Self {
        let collector = Collector::start().unwrap();
        // What is counted is sent at the end, and not before.
        let signals = Signals { metrics: Some(Duration::from_secs(3600)), ..Signals::ALL };
        let config = telemetry::Config {
            filter: filter.into(),
            format: LogFormat::Json,
            otlp: Some(Otlp { address: collector.address(), signals }),
            sample,
            name: "test".into(),
        };
        let (dispatch, telemetry) = telemetry::layers(&config).unwrap();
        let here = tracing::dispatcher::set_default(&dispatch);
        Self { collector, telemetry, here }
    }

    /// Everything that was sent.
    pub(crate) async fn all(self) -> Collector {
        drop(self.here);
        // What is left is sent when telemetry ends, and it waits for that.
        tokio::task::spawn_blocking(move || drop(self.telemetry)).await.unwrap();
        self.collector
    }

    /// The spans that were sent.
    pub(crate) async fn end(self) -> Vec<Span> {
        self.all().await.spans().into_iter().map(|span| span.said).collect()
    }
}
