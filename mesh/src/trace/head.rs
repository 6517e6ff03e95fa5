//! Which traces are kept, decided where they begin.

use tracing::{Dispatch, Subscriber};
use tracing_subscriber::Layer;

/// Decides for this process; it stands among the layers of its telemetry, and only where spans are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// The share of traces kept, 0 to 1.
    pub(crate) share: f64,
}

impl Head {
    /// That of this process; none where no spans are kept.
    pub(super) fn of_this_process() -> Option<Self> {
        tracing::dispatcher::get_default(|dispatch: &Dispatch| {
            dispatch.downcast_ref::<Self>().copied()
        })
    }

    /// Whether a trace that begins now is kept.
    pub(super) fn keeps(self) -> bool {
        self.share > 0.0 && rand::random::<f64>() < self.share
    }
}

impl<S: Subscriber> Layer<S> for Head {}
